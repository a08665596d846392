using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>
/// What one transfer does while its server is away: it asks again at once, then after pauses that double, until the server has
/// been away for too long. A byte that gets through ends the outage.
/// </summary>
internal sealed class Outage(RemoteBlobStoreOptions options)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan PauseMax = TimeSpan.FromSeconds(2);

    private long _start;
    private TimeSpan? _pause; // null: the server is there, as far as we know

    public void Over() => _pause = null;

    /// <summary>Whether asking again may help, and still does in time. A refusal is no outage.</summary>
    public bool MayGoOn(RpcException failure) => failure.StatusCode == StatusCode.Unavailable
        && (_pause is null || options.Time.GetElapsedTime(_start) < options.OutageMax);

    public async ValueTask PauseAsync(CancellationToken cancellationToken)
    {
        if (_pause is not { } pause)
        {
            _start = options.Time.GetTimestamp();
            _pause = FirstPause;
            return;
        }

        await Task.Delay(pause, options.Time, cancellationToken);
        _pause = pause * 2 < PauseMax ? pause * 2 : PauseMax;
    }
}
