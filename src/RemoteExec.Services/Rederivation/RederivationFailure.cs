namespace RemoteExec.Services;

/// <summary>Why lost inputs are not made again, in words for a person.</summary>
internal sealed class RederivationFailure(RederivationOutcome outcome, string reason) : Exception(reason)
{
    public RederivationOutcome Outcome => outcome;

    public static RederivationFailure Refused(string reason) => new(RederivationOutcome.Refused, reason);
}
