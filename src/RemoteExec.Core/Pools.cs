namespace RemoteExec.Core;

/// <summary>What is true of every pool of workers.</summary>
public static class Pools
{
    /// <summary>The pool of a worker, and of an action, that names none.</summary>
    public const string Default = "default";

    /// <summary>Commands that one worker may run at the same time. The launcher holds as many (sandbox-native/linux/main.c).</summary>
    public const int SlotsMax = 4096;
}
