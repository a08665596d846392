using System.Collections.Concurrent;
using System.Diagnostics;
using System.Threading.Channels;
using Grpc.Core;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// Copies blobs to stores that lack them, in the background: a few at a time from one to another, waiting for one that is away. Kept in memory and bounded:
/// what is lost or finds no room here is found out again when the blob is asked for next.
/// </summary>
public sealed class BlobRepairs(TimeProvider time) : IAsyncDisposable
{
    /// <summary>From one store to another. A node that comes back empty is filled by what is used; more than this at once may wait for its next use.</summary>
    internal const int WaitingMax = 100_000;

    /// <summary>A node that restarts is back within seconds.</summary>
    internal static readonly TimeSpan AwayPause = TimeSpan.FromSeconds(5);

    // Beside the traffic of builds, which comes first.
    internal const int AtOnce = 4;

    // By where from and where to: what waits for one that is lost for good keeps nobody else waiting.
    private readonly ConcurrentDictionary<(string From, string To), Line> _lines = new();
    private readonly CancellationTokenSource _ending = new();
    private long _done;
    private long _dropped;

    /// <summary>Copies that are still to be made.</summary>
    public int Waiting => _lines.Values.Sum(line => line.Known.Count);

    public long Done => Volatile.Read(ref _done);

    /// <summary>Left to the blob's next use: there was no room here, or it could not be copied.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <summary>Has a blob copied some time soon; asked again before it was, this changes nothing.</summary>
    public void Ask(Digest digest, BlobNode from, BlobNode to)
    {
        var line = _lines.GetOrAdd((from.Name, to.Name), _ => new Line());
        if (!line.Known.TryAdd(digest, 0)) return;
        if (line.Waiting.Writer.TryWrite(new Repair(digest, from, to)))
        {
            line.Start(RunAsync);
            return;
        }

        line.Known.TryRemove(digest, out _);
        Interlocked.Increment(ref _dropped);
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await Task.WhenAll(_lines.Values.Select(line => line.Ended));
        _ending.Dispose();
    }

    private async Task RunAsync(Line line)
    {
        // Asked without a token: what ends the loop is told by the condition (D8).
        while (!_ending.IsCancellationRequested && await NextAsync(line) is { } repair)
        {
            while (!_ending.IsCancellationRequested && !await TryRepairAsync(repair))
                await Task.Delay(AwayPause, time, _ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            line.Known.TryRemove(repair.Digest, out _);
        }
    }

    private async Task<Repair?> NextAsync(Line line)
    {
        try
        {
            return await line.Waiting.Reader.ReadAsync(_ending.Token);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    /// <summary>False when a store is away, and it is worth another try.</summary>
    private async Task<bool> TryRepairAsync(Repair repair)
    {
        bool isAway = false;
        await ServingLoop.ServeAsync(
            async () =>
            {
                // Gone there too: then it is nobody's any more.
                if (await repair.From.Store.CopyAsync(repair.Digest, repair.To.Store, _ending.Token) is not null) Interlocked.Increment(ref _done);
            },
            failure =>
            {
                if (_ending.IsCancellationRequested) return;
                isAway = failure is RpcException { StatusCode: StatusCode.Unavailable or StatusCode.DeadlineExceeded };
                if (isAway) return;
                Interlocked.Increment(ref _dropped);
                Trace.TraceWarning($"blob {repair.Digest} was not copied from {repair.From.Name} to {repair.To.Name}: {failure.Message}");
            });
        return !isAway;
    }

    private sealed record Repair(Digest Digest, BlobNode From, BlobNode To);

    /// <summary>What is to be copied from one store to another.</summary>
    private sealed class Line
    {
        private readonly Lock _gate = new();
        private Task[]? _runners;

        public Channel<Repair> Waiting { get; } = Channel.CreateBounded<Repair>(WaitingMax);

        public ConcurrentDictionary<Digest, byte> Known { get; } = new();

        public Task Ended => Task.WhenAll(_runners ?? []);

        public void Start(Func<Line, Task> run)
        {
            lock (_gate) _runners ??= [.. Enumerable.Range(0, AtOnce).Select(_ => Task.Run(() => run(this)))];
        }
    }
}
