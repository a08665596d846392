namespace RemoteExec.Worker.Sandbox;

/// <summary>How an action ended and what it used. Figures the kernel does not give here are zero.</summary>
public sealed record SandboxReport
{
    public required SandboxOutcome Outcome { get; init; }

    /// <summary>The exit code; for a signal 128 + signal as a shell would say it.</summary>
    public int ExitCode { get; init; }

    public int Signal { get; init; }

    /// <summary>One sentence for people when the outcome is not plain: the failing step and errno.</summary>
    public string Detail { get; init; } = "";

    public TimeSpan WallTime { get; init; }

    public TimeSpan UserTime { get; init; }

    public TimeSpan SystemTime { get; init; }

    /// <summary>Peak of the whole tree where cgroups give it, else of its largest process.</summary>
    public long PeakMemoryBytes { get; init; }

    /// <summary>Null where nobody counts, or no command was started.</summary>
    public KernelUsage? Kernel { get; init; }

    public long StdoutDroppedBytes { get; init; }

    public long StderrDroppedBytes { get; init; }

    /// <summary>True when memory, CPU and processes were held by cgroups, false when only rlimits were there.</summary>
    public bool LimitsEnforced { get; init; }
}
