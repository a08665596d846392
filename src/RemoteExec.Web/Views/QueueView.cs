namespace RemoteExec.Web;

/// <summary>The executions that ask for one set of platform properties.</summary>
public sealed record QueueView(string Pool, string Platform, int Queued, int Running, double OldestSeconds);
