using System.Diagnostics;
using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Storage;

/// <summary>
/// Lets results go as a whole. One that has lost a blob to eviction can be served to nobody any more: its record goes, and so does what is left of it, as far
/// as nobody was promised that, and nobody has used it since.
/// </summary>
/// <remarks>
/// Whoever else refers to a blob (another result that was hit, an action whose input it is, an upload) has used it later: that is the count of references,
/// kept in time, for no memory. Since blobs go in the order of their uses, results are looked at in that order too, each once its
/// blobs have come to their turn, and again when those that it has now will. So no blob has to know its results. Behind everybody's back: eviction only says that it was here.
/// </remarks>
public sealed class ResultEviction : IAsyncDisposable
{
    // Of those used at the moment that eviction has come to, all may be whole. They come in turn, and when so many were, the next ones have time.
    private const int WholeAtOnceMax = 16;

    private const long TreeMemoryBytes = 4 << 20;

    // A result is stored when its blobs have been promised for a moment, and that is not long on the worst of disks.
    private static readonly TimeSpan StoredWithin = TimeSpan.FromMinutes(10);

    private readonly DiskActionCache _results;
    private readonly DiskBlobStore _disk;
    private readonly PeekedBlobs _blobs;
    private readonly ResultClosure _closure;
    private readonly long _aheadMs; // of the clock of results that of blobs is; both only go on, and so together
    private readonly CancellationTokenSource _ending = new();
    private readonly Lock _gate = new();
    private Task _pass = Task.CompletedTask;
    private bool _isRunning;
    private bool _isWanted;

    /// <param name="results">All of whose blobs are on <paramref name="disk"/>, or nowhere.</param>
    public ResultEviction(DiskActionCache results, DiskBlobStore disk, ChunkLists lists)
    {
        (_results, _disk) = (results, disk);
        _blobs = new PeekedBlobs(disk, lists);
        _closure = new ResultClosure(_blobs, new TreeLimits(), TreeMemoryBytes);
        var begun = results.BeginDues(disk.Index.EarliestOfHit + StoredWithin);
        _aheadMs = disk.Time.GetUtcNow().ToUnixTimeMilliseconds() - begun.ToUnixTimeMilliseconds();
        disk.Room.HasEvicted = Wake;
    }

    /// <summary>Waits for the end of what is under way; for tests, which want to see what becomes of it.</summary>
    internal async Task IdleAsync()
    {
        while (true)
        {
            Task pass;
            lock (_gate) pass = _pass;
            await pass;
            lock (_gate)
            {
                if (_pass == pass) return;
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        _disk.Room.HasEvicted = null;
        await _ending.CancelAsync();
        await IdleAsync();
        _ending.Dispose();
    }

    /// <summary>Something was evicted. Whoever made room for himself by it does not wait.</summary>
    private void Wake()
    {
        lock (_gate)
        {
            _isWanted = true;
            if (_isRunning || _ending.IsCancellationRequested) return;
            _isRunning = true;
            _pass = Task.Run(RunAsync);
        }
    }

    private async Task RunAsync()
    {
        while (IsWanted())
        {
            await ServingLoop.ServeAsync(
                this, static eviction => eviction.PassAsync(), static (_, failure) => Trace.TraceWarning($"results were not looked at: {failure.Message}"));
        }
    }

    private bool IsWanted()
    {
        lock (_gate)
        {
            _isRunning = _isWanted && !_ending.IsCancellationRequested;
            _isWanted = false;
            return _isRunning;
        }
    }

    private async ValueTask PassAsync()
    {
        // They are not asked for again in this pass.
        var waiting = new List<ResultAt>();
        try
        {
            while (waiting.Count < WholeAtOnceMax && !_ending.IsCancellationRequested
                && _disk.Index.EvictedUpToMs is { } upToMs && _results.TakeDue(upToMs - _aheadMs) is { } due)
            {
                bool isDone = false;
                await ServingLoop.ServeAsync(
                    async () => isDone = await TryLookAsync(due, upToMs),
                    failure => Trace.TraceWarning($"whether a result is whole cannot be told now: {failure.Message}"));
                if (!isDone) waiting.Add(due);
            }
        }
        finally
        {
            long againMs = (_disk.Index.EvictedUpToMs ?? 0) - _aheadMs;
            foreach (var due in waiting) _results.PutBack(due, againMs);
        }
    }

    /// <summary>False: it is to be looked at again when eviction goes on.</summary>
    private async ValueTask<bool> TryLookAsync(ResultAt due, long upToMs)
    {
        if (_results.Peek(due) is not { } result) return false;

        var found = await FindAsync(result);
        if (found is null || found.OldestMs > upToMs)
        {
            // Of one that cannot be told, or refers to nothing, not before what is used now may go.
            long nowMs = _disk.Time.GetUtcNow().ToUnixTimeMilliseconds();
            _results.PutBack(due, Math.Min(found?.OldestMs ?? nowMs, nowMs) - _aheadMs);
            return true;
        }

        if (found.OldestMs is not null) return false;
        // In this order, and not if it was stored again: then what was told as present is promised, and stays.
        if (!_results.TryDrop(due)) return false;
        var (_, bytes) = _disk.Room.GiveUp(found.Stored, upToMs);
        if (bytes > 0) _disk.Observer.EvictedWithResults(bytes);
        return true;
    }

    /// <summary>What is here of a result; null when that cannot be told.</summary>
    private async ValueTask<Found?> FindAsync(ActionResult result)
    {
        Found? nothing = null;
        // Records say what a digest is, and not by which function; that of the blobs which are here is the one.
        foreach (var function in FunctionsOf(result))
        {
            try
            {
                var found = Look(await _closure.FindAsync(result, function, _ending.Token));
                if (found.Stored.Count > 0 || found.OldestMs is not null) return found;
                nothing = found;
            }
            catch (RpcException malformed) when (malformed.StatusCode is StatusCode.InvalidArgument or StatusCode.ResourceExhausted)
            {
                // It was stored by other rules than ours of today.
                return null;
            }
        }

        return nothing;
    }

    private Found Look(ResultReferences references)
    {
        var stored = new List<Digest>();
        long? oldestMs = long.MaxValue;
        foreach (var digest in references.Digests.Distinct().Where(digest => !digest.IsEmpty))
        {
            long? useMs = _blobs.LastUseMs(digest, stored);
            oldestMs = useMs is null || oldestMs is null ? null : Math.Min(useMs.Value, oldestMs.Value);
        }

        return new Found(stored, references.Unread.Count > 0 ? null : oldestMs);
    }

    private static IEnumerable<DigestFunction> FunctionsOf(ActionResult result)
    {
        var first = result.OutputFiles.Select(file => file.Digest)
            .Concat(result.OutputDirectories.SelectMany(directory => new[] { directory.TreeDigest, directory.RootDirectoryDigest }))
            .Append(result.StdoutDigest).Append(result.StderrDigest)
            .FirstOrDefault(digest => digest is { SizeBytes: > 0 });
        return DigestFunctions.Supported.Where(function => 2 * function.HashBytes() == first?.Hash.Length);
    }

    /// <param name="Stored">What is here.</param>
    /// <param name="OldestMs">The use that was longest ago; null when not all is here.</param>
    private sealed record Found(IReadOnlyList<Digest> Stored, long? OldestMs);
}
