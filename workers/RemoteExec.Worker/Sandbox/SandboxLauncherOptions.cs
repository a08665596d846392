namespace RemoteExec.Worker.Sandbox;

public sealed record SandboxLauncherOptions
{
    /// <summary>The native launcher; the build puts it next to the worker's assemblies.</summary>
    public string LauncherPath { get; init; } = Path.Combine(AppContext.BaseDirectory, "rexec-sandbox");

    /// <summary>Actions at once. The launcher refuses more, so that nothing in it is unbounded.</summary>
    public int SlotsMax { get; init; } = 256;

    /// <summary>
    /// What root's actions run as: a range that neither Debian policy nor systemd gives to anybody
    /// (systemd.io/UIDS-GIDS: 1879048192 and up is unused). An unprivileged worker's actions run as the worker.
    /// </summary>
    public SandboxIdentity ActionIdentity { get; init; } = new(1_879_048_192, 1_879_048_192);

    /// <summary>Host paths that every action sees read-only, where they exist.</summary>
    public IReadOnlyList<string> SystemPaths { get; init; } =
        ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt"];
}
