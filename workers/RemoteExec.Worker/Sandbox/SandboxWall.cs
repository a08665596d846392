namespace RemoteExec.Worker.Sandbox;

/// <summary>One line of the probe: whether this kernel, for this user, builds the wall, and if not, why.</summary>
public sealed record SandboxWall(string Name, SandboxWalls Wall, bool Enforced, string Reason);
