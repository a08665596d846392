namespace RemoteExec.Worker;

internal readonly record struct FetchOutcome(IReadOnlyList<Digest> Missing, long FetchedBytes);
