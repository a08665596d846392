namespace RemoteExec.Services;

/// <summary>What of a command is followed.</summary>
public enum LogStream
{
    Stdout = 1,
    Stderr = 2,
}
