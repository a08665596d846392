namespace RemoteExec.Server;

/// <summary>A start that cannot go on, in one plain sentence with the remedy.</summary>
internal sealed class ServerRefusedException(string message, Exception? inner = null) : Exception(message, inner);
