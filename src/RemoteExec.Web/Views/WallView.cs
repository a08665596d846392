namespace RemoteExec.Web;

/// <summary>One isolation mechanism of a worker; the reason says why it is not enforced.</summary>
public sealed record WallView(string Name, bool Enforced, string Reason);
