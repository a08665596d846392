namespace RemoteExec.Cli;

/// <summary>Nobody reads our output any more: as with <c>rexec cat … | head</c>, that is an end and no failure to be told.</summary>
internal sealed class OutputClosedException() : IOException("the output was closed")
{
    /// <summary>128 and SIGPIPE, as a shell counts.</summary>
    public const int ExitCode = 141;
}
