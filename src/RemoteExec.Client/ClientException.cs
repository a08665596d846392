namespace RemoteExec.Client;

/// <summary>Something on the user's side is not as it must be; the message says what and the remedy.</summary>
public sealed class ClientException(string message, Exception? inner = null) : Exception(message, inner);
