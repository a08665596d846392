namespace RemoteExec.Worker.Sandbox;

/// <summary>One action as the launcher needs it: what to run, where, behind which walls and within which limits.</summary>
public sealed record SandboxSpec
{
    /// <summary>
    /// The program and its arguments. The program is found by REAPI's rule (Command.arguments, X2): absolute as it is, with
    /// a slash relative to the working directory, otherwise searched on the PATH of <see cref="Environment"/>.
    /// </summary>
    public required IReadOnlyList<string> Arguments { get; init; }

    /// <summary>The whole environment: the action sees these variables and no others.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Environment { get; init; } = [];

    /// <summary>Relative to the input root, without leading slash; empty for the root itself. It must exist.</summary>
    public string WorkingDirectory { get; init; } = "";

    /// <summary>
    /// Host path of the materialised input root. Directories the action may write to belong to
    /// <see cref="ISandbox.FileOwner"/>; linked inputs do not. Behind <see cref="SandboxWalls.Root"/> an action sees it as /build.
    /// </summary>
    public required string InputRootPath { get; init; }

    public string HostName { get; init; } = "sandbox";

    public SandboxWalls Walls { get; init; } = SandboxWalls.All;

    public SandboxLimits Limits { get; init; } = new();
}
