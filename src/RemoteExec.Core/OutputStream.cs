namespace RemoteExec.Core;

/// <summary>The two streams that a command writes.</summary>
public enum OutputStream
{
    Stdout = 1,
    Stderr = 2,
}
