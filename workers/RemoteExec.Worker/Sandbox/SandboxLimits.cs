namespace RemoteExec.Worker.Sandbox;

/// <summary>What one action may use. Zero means "no limit" where the kernel has such a thing.</summary>
public sealed record SandboxLimits
{
    public long MemoryBytes { get; init; }

    /// <summary>CPU time per wall time in thousandths of a core: 1500 is one and a half cores.</summary>
    public int CpuMillicores { get; init; }

    /// <summary>Processes and threads of the whole tree.</summary>
    public int ProcessesMax { get; init; } = 4096;

    /// <summary>RLIMIT_NOFILE, soft and hard.</summary>
    public int OpenFilesMax { get; init; } = 65536;

    /// <summary>
    /// Size of the private /tmp, and again of /dev/shm; a file counts as a page at least. Zero takes half of the machine's
    /// memory for each, as tmpfs does by itself.
    /// </summary>
    public long ScratchBytes { get; init; }

    /// <summary>Bytes of each stream that are kept; what an action writes past them is drained, dropped and counted.</summary>
    public long StdoutBytesMax { get; init; } = 16 << 20;

    public long StderrBytesMax { get; init; } = 16 << 20;

    /// <summary>Wall time from the start of the program; zero for none.</summary>
    public TimeSpan Timeout { get; init; }
}
