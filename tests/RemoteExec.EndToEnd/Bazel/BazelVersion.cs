namespace RemoteExec.EndToEnd;

/// <summary>One of the Bazels that the tests drive, and what it can do.</summary>
internal sealed record BazelVersion
{
    /// <summary>Debian's <c>bazel-bootstrap</c>. It reads the system's bazelrc, which names its install base.</summary>
    public static readonly BazelVersion V4 = new()
    {
        Name = "4.2.3",
        Program = "/usr/bin/bazel-4",
        StartupFlags = ["--nohome_rc"],
        HasSymlinkActions = true,
        CancelsCallsOnInterrupt = true,
    };

    /// <summary>npm's <c>@bazel/bazel-linux_x64</c>, with its own Java.</summary>
    public static readonly BazelVersion V2 = new()
    {
        Name = "2.1.0",
        Program = Path.Combine(BuiltPrograms.RepositoryRoot,
            "out/tools/bazel-2.1.0/node_modules/@bazel/bazel-linux_x64/bazel-2.1.0-linux-x86_64"),
        StartupFlags = ["--nohome_rc", "--nosystem_rc"],
        HasSymlinkActions = false,
        CancelsCallsOnInterrupt = false,
    };

    public required string Name { get; init; }

    public required string Program { get; init; }

    public required IReadOnlyList<string> StartupFlags { get; init; }

    /// <summary><c>ctx.actions.symlink</c>.</summary>
    public required bool HasSymlinkActions { get; init; }

    /// <summary>
    /// Whether Ctrl-C resets the streams of what it executes. 2.1.0 sends GOAWAY and leaves them open, which
    /// is what a client does that wants to hear how they end.
    /// </summary>
    public required bool CancelsCallsOnInterrupt { get; init; }

    public override string ToString() => Name;
}
