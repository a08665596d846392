using RemoteExec.Scheduling;

namespace RemoteExec.Services;

/// <summary>Why lost inputs are not made again, in words for a person.</summary>
/// <param name="isForNow">It may go well in a moment: whoever waits is told to try again, and not that its inputs are lost.</param>
internal sealed class RederivationFailure(RederivationOutcome outcome, string reason, bool isForNow = false) : Exception(reason)
{
    public RederivationOutcome Outcome => outcome;

    public bool IsForNow => isForNow;

    public static RederivationFailure Refused(string reason, bool isForNow = false) => new(RederivationOutcome.Refused, reason, isForNow);

    public static RederivationFailure TooDeep(int depthMax) =>
        Refused($"more than {depthMax} actions would have to run after each other (--rederive-depth)");

    /// <summary>Whether what ended so may end otherwise in a moment: somebody had no room or was away, or somebody else did not want it any more.</summary>
    public static bool IsPassing(OutcomeCode code) => code is OutcomeCode.Unavailable or OutcomeCode.ResourceExhausted or OutcomeCode.Cancelled;
}
