namespace RemoteExec.Cli;

/// <summary>The server's web address did not answer, or not as expected.</summary>
internal sealed class PageException(string message, Exception? inner = null) : Exception(message, inner);
