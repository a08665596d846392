namespace RemoteExec.Worker.Sandbox;

/// <summary>A numeric user and group of the host.</summary>
public readonly record struct SandboxIdentity(uint UserId, uint GroupId);
