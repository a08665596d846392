namespace RemoteExec.Storage;

/// <summary>The answer to a wish for room.</summary>
internal readonly record struct Reservation(ReservationResult Result, TimeSpan RetryAfter)
{
    /// <summary>Not 0: it is the number of blobs that is at its bound, not their bytes.</summary>
    public long BlobsMax { get; init; }

    public static Reservation Granted => new(ReservationResult.Granted, TimeSpan.Zero);

    public static Reservation NeverFits => new(ReservationResult.NeverFits, TimeSpan.Zero);

    /// <summary>Everything is promised; the first promise ends after <paramref name="retryAfter"/>.</summary>
    public static Reservation Refused(TimeSpan retryAfter) => new(ReservationResult.Refused, retryAfter);
}

internal enum ReservationResult
{
    Granted,
    Refused,
    NeverFits,
}
