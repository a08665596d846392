namespace RemoteExec.Services;

/// <summary>The end of one such try, for logs and metrics.</summary>
/// <param name="Action">The one that lacked inputs.</param>
/// <param name="Runs">How many actions ran for it; what others ran at the same time is counted by each.</param>
/// <param name="Reason">Empty when the inputs were restored.</param>
public sealed record RederivedInputs(Digest Action, RederivationOutcome Outcome, int Runs, string Reason);
