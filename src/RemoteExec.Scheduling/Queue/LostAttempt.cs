namespace RemoteExec.Scheduling;

/// <summary>How an attempt came to nothing; together they are the story that a client is told in the end.</summary>
/// <param name="Losses">How many had cost an attempt by then, with this one.</param>
internal sealed record LostAttempt(int Attempt, int Losses, string? WorkerId, string Reason, DateTimeOffset At);
