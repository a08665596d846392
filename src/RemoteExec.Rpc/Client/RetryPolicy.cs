using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>
/// When a client tries again. Only a call that is not committed is tried again: no response headers have come,
/// and every request message is still at hand (gRFC A6).
/// </summary>
public sealed record RetryPolicy
{
    public static readonly RetryPolicy None = new() { AttemptsMax = 1 };

    /// <summary>Rides out a restart: about 10 s of waiting in all.</summary>
    public static readonly RetryPolicy Default = new();

    public int AttemptsMax { get; init; } = 6;

    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromMilliseconds(200);

    public TimeSpan DelayMax { get; init; } = TimeSpan.FromSeconds(5);

    public IReadOnlyCollection<StatusCode> Codes { get; init; } = [StatusCode.Unavailable];

    /// <summary>
    /// The wait before attempt <paramref name="attempt"/> + 1: between half and all of a doubling step, so that
    /// clients who lost the same server do not come back at the same moment.
    /// </summary>
    /// <param name="attempt">the attempt that failed, from 1</param>
    /// <param name="random">a number from 0 up to 1</param>
    public TimeSpan DelayAfter(int attempt, double random)
    {
        double step = Math.Min(FirstDelay.TotalMilliseconds * Math.Pow(2, attempt - 1), DelayMax.TotalMilliseconds);
        return TimeSpan.FromMilliseconds(step * (0.5 + random / 2));
    }
}
