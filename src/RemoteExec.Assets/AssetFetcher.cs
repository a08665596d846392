using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Files;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Storage;

namespace RemoteExec.Assets;

/// <summary>
/// The content of URIs: what is known and stored, else what their origins give. What was fetched once is answered as long as it is stored, whatever
/// becomes of its origin.
/// </summary>
public sealed class AssetFetcher : IAsyncDisposable
{
    // Of several failures the one that says most about what helps: to wait and ask again, then to mend the request.
    private static readonly StatusCode[] Telling =
    [
        StatusCode.DeadlineExceeded, StatusCode.Unavailable, StatusCode.ResourceExhausted, StatusCode.Aborted, StatusCode.InvalidArgument,
        StatusCode.PermissionDenied, StatusCode.NotFound,
    ];

    private readonly AssetOptions _options;
    private readonly TimeProvider _time;
    private readonly KnownAssets _known;
    private readonly AssetContent _content;
    private readonly AssetSources _sources;
    private readonly SemaphoreSlim _turns;
    private readonly Lock _gate = new();
    private readonly Dictionary<ByteString, RunningFetch> _shared = [];
    private readonly HashSet<RunningFetch> _running = [];
    private readonly CancellationTokenSource _closing = new();
    private readonly Task _keeping;
    private bool _isClosed;

    /// <exception cref="StorageDirectoryException">The directory cannot be used.</exception>
    public AssetFetcher(AssetOptions options, ILocalBlobStore store, TimeProvider time)
    {
        (_options, _time) = (options, time);
        _turns = new SemaphoreSlim(options.FetchesMax);
        _content = new AssetContent(store);
        try
        {
            _known = KnownAssets.Open(options.Directory, options.KnownMax, options.KnownBytesMax, new Disk());
            _sources = new AssetSources(options, store, time);
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            _known?.Dispose();
            throw new StorageDirectoryException($"The asset directory {options.Directory} cannot be used: {failed.Message}", failed);
        }

        _keeping = new PushKeeper(_known, _content, options.Retention / 3, time).RunAsync(_closing.Token);
    }

    /// <exception cref="RpcException">Only for what is wrong here; what is wrong at an origin is in the answer.</exception>
    public async ValueTask<AssetAnswer> FetchAsync(AssetRequest request, CancellationToken cancellationToken)
    {
        if (await FindKnownAsync(request, cancellationToken) is { } known)
        {
            _options.Observer.Known(request.Kind);
            return known;
        }

        var timeout = Clamp(request.Timeout);
        RunningFetch fetch;
        lock (_gate) fetch = Join(request, timeout);
        try
        {
            return await fetch.Answer.WaitAsync(timeout, _time, cancellationToken);
        }
        catch (TimeoutException)
        {
            return TooLate(request, timeout);
        }
    }

    /// <summary>From now on the URIs stand for that content (REAPI S3).</summary>
    /// <exception cref="RpcException">FAILED_PRECONDITION for what is not stored.</exception>
    public async ValueTask PushAsync(
        AssetRequest request, Digest digest, IEnumerable<WireDigest> blobs, IEnumerable<WireDigest> directories, DateTimeOffset? expireAt, CancellationToken cancellationToken)
    {
        var asset = RecordOf(request, digest, _time.GetUtcNow());
        asset.ExpireAt = expireAt?.ToTimestamp();
        asset.ReferencesBlobs.Add(blobs);
        asset.ReferencesDirectories.Add(directories);
        await _content.CheckAsync(asset, request.Function, cancellationToken);
        for (int i = 0; i < request.Uris.Count; i++) Remember(asset, AssetNames.Of(request, i));
    }

    public async ValueTask DisposeAsync()
    {
        List<RunningFetch> running;
        lock (_gate)
        {
            _isClosed = true;
            running = [.. _running];
            foreach (var fetch in running) fetch.Cancel(); // under the lock, because each is disposed of under it when it ends
        }

        await _closing.CancelAsync();
        await Task.WhenAll(running.Select(fetch => (Task)fetch.Answer)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _keeping;
        _sources.Dispose();
        _known.Dispose();
        _turns.Dispose();
        _closing.Dispose();
    }

    private static AssetAnswer TooLate(AssetRequest request, TimeSpan timeout) => AssetAnswer.Of(
        RpcErrors.Of(StatusCode.DeadlineExceeded, $"not fetched within {timeout.TotalSeconds} s"), request.Uris[^1].OriginalString);

    private static KnownAsset RecordOf(AssetRequest request, Digest digest, DateTimeOffset at) => new()
    {
        RetrievedAt = at.ToTimestamp(),
        DigestFunction = request.Function.ToWire(),
        Digest = digest.ToWire(),
        IsDirectory = request.Kind == AssetKind.Directory,
    };

    private TimeSpan Clamp(TimeSpan? timeout) => (timeout ?? _options.TimeoutDefault) is var wanted && wanted < _options.TimeoutMax ? wanted : _options.TimeoutMax;

    private async ValueTask<AssetAnswer?> FindKnownAsync(AssetRequest request, CancellationToken cancellationToken)
    {
        for (int i = 0; i < request.Uris.Count; i++)
        {
            if (!_known.TryFind(AssetNames.Of(request, i), out var asset)) continue;
            if (asset.ExpireAt is { } expiry && expiry.ToDateTimeOffset() <= _time.GetUtcNow()) continue;
            if (asset.RetrievedAt.ToDateTimeOffset() < request.OldestAccepted) continue;
            if (!await _content.IsCompleteAsync(asset, cancellationToken)) continue;

            return AnswerOf(asset, request, i);
        }

        return null;
    }

    private AssetAnswer AnswerOf(KnownAsset asset, AssetRequest request, int uri)
    {
        var until = _time.GetUtcNow() + _options.Retention;
        if (asset.ExpireAt?.ToDateTimeOffset() is { } expiry && expiry < until) until = expiry;
        return new AssetAnswer(null, request.Uris[uri].OriginalString, WireDigests.FromWire(asset.Digest, request.Function, "digest"), until);
    }

    /// <summary>Called under the lock.</summary>
    private RunningFetch Join(AssetRequest request, TimeSpan timeout)
    {
        ObjectDisposedException.ThrowIf(_isClosed, this);
        var question = AssetNames.OfQuestion(request);
        if (!_shared.TryGetValue(question, out var fetch) || fetch.StartedAt < request.OldestAccepted)
        {
            if (_running.Count >= _options.FetchesWaitingMax) throw RpcErrors.Exhausted($"{_running.Count} downloads are under way or wait");

            fetch = new RunningFetch(_time.GetUtcNow(), _time);
            _running.Add(fetch);
            _shared[question] = fetch;
            fetch.Begin(begun => Task.Run(() => RunAsync(request, question, begun)));
        }

        fetch.Extend(timeout, _options.TimeoutMax);
        return fetch;
    }

    /// <summary>Fetches for clients that have not ended, those that wait for their turn included.</summary>
    public int Running
    {
        get
        {
            lock (_gate) return _running.Count;
        }
    }

    private async Task<AssetAnswer> RunAsync(AssetRequest request, ByteString question, RunningFetch fetch)
    {
        long begunAt = _time.GetTimestamp();
        bool isFound = false;
        try
        {
            await _turns.WaitAsync(fetch.Limit);
            try
            {
                var answer = await FetchFreshAsync(request, fetch.StartedAt, fetch.Limit);
                isFound = answer.Failure is null;
                return answer;
            }
            finally
            {
                _turns.Release();
            }
        }
        catch (OperationCanceledException)
        {
            return TooLate(request, Clamp(request.Timeout));
        }
        finally
        {
            _options.Observer.Fetched(request.Kind, isFound, _time.GetElapsedTime(begunAt));
            lock (_gate)
            {
                _running.Remove(fetch);
                if (_shared.TryGetValue(question, out var current) && current == fetch) _shared.Remove(question);
                fetch.Dispose();
            }
        }
    }

    private async Task<AssetAnswer> FetchFreshAsync(AssetRequest request, DateTimeOffset startedAt, CancellationToken cancellationToken)
    {
        var failures = new List<(RpcException Failure, string Uri)>();
        for (int i = 0; i < request.Uris.Count; i++)
        {
            string uri = request.Uris[i].OriginalString;
            try
            {
                var asset = RecordOf(request, await _sources.FetchAsync(request, i, cancellationToken), startedAt);
                Remember(asset, AssetNames.Of(request, i));
                return AnswerOf(asset, request, i);
            }
            catch (RpcException failure)
            {
                failures.Add((failure, uri)); // the next may have it
            }
        }

        var most = failures.MinBy(each => Array.IndexOf(Telling, each.Failure.StatusCode) is var rank and >= 0 ? rank : Telling.Length);
        string words = string.Join("; ", failures.Select(each => each.Failure.Status.Detail).Distinct());
        return AssetAnswer.Of(RpcErrors.Of(most.Failure.StatusCode, words), most.Uri);
    }

    private void Remember(KnownAsset asset, ByteString name)
    {
        var named = asset.Clone();
        named.Name = name;
        try
        {
            _known.Add(named);
        }
        catch (IOException failed)
        {
            throw RpcErrors.Unavailable($"what is known of addresses cannot be written down: {failed.Message}");
        }
    }
}
