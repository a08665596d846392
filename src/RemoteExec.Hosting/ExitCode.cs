namespace RemoteExec.Hosting;

/// <summary>How every program of ours ends: what a script can rely on.</summary>
public static class ExitCode
{
    public const int Done = 0;

    /// <summary>The remote command failed; nothing was wrong with asking for it.</summary>
    public const int CommandFailed = 1;

    /// <summary>An option, or something on this machine that the caller named.</summary>
    public const int Usage = 2;

    public const int NotFound = 3;

    public const int Refused = 4;

    /// <summary>What is needed cannot be had: a port, a directory, a server, an answer in time.</summary>
    public const int Unavailable = 5;

    // 128 + the signal, as shells count.
    public const int Interrupted = 130;
    public const int Terminated = 143;
}
