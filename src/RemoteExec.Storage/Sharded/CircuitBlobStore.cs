using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>
/// A store on another machine, which may be away, slow or mute: every wait for it has a limit, and while it is away it refuses at once. A refusal
/// is UNAVAILABLE and names it.
/// </summary>
public sealed class CircuitBlobStore(string name, IBlobStore inner, CircuitOptions options) : IBlobStore
{
    private readonly Circuit _circuit = new(options);

    /// <summary>It has failed several times in a row, and not answered since.</summary>
    public bool IsAway => _circuit.IsAway;

    private CircuitOptions Options => options;

    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
        EnterAsync(limited => inner.FindMissingAsync(digests, limited), cancellationToken);

    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(
        IReadOnlyList<Digest> digests, PromiseKind kind, CancellationToken cancellationToken) =>
        EnterAsync(limited => inner.FindMissingAsync(digests, kind, limited), cancellationToken);

    /// <summary>One call of its own, for which there is as much time as for a piece of a blob.</summary>
    public async ValueTask<Status[]> WriteManyAsync(IReadOnlyList<(Digest Digest, ReadOnlyMemory<byte> Data)> blobs, CancellationToken cancellationToken)
    {
        var statuses = await EnterAsync(WriteAsync, options.PieceMax, cancellationToken);
        return Array.ConvertAll(statuses, status => status.StatusCode == StatusCode.OK ? status : new Status(status.StatusCode, $"{name}: {status.Detail}", status.DebugException));

        async ValueTask<Status[]> WriteAsync(CancellationToken limited)
        {
            var answered = await inner.WriteManyAsync(blobs, limited);
            // When nothing got through it is the store that failed, and not some blobs.
            return answered.Length > 0 && Array.TrueForAll(answered, status => status.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded)
                ? throw new RpcException(answered[0])
                : answered;
        }
    }

    public ValueTask ReadManyAsync(IReadOnlyList<Digest> digests, IBlobReceiver receiver, CancellationToken cancellationToken) =>
        this.ReadTogetherAsync(digests, receiver, cancellationToken);

    public async ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
        await EnterAsync(limited => inner.OpenReadAsync(digest, offset, limited), cancellationToken) is { } reader ? new Reader(this, reader) : null;

    public async ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
        new Writer(this, await EnterAsync(limited => inner.CreateWriterAsync(digest, limited), cancellationToken));

    private ValueTask<T> EnterAsync<T>(Func<CancellationToken, ValueTask<T>> ask, CancellationToken cancellationToken) =>
        EnterAsync(ask, options.AnswerMax, cancellationToken);

    /// <summary>Whatever it fails with is in the task: who asks two stores at once has to hear of both.</summary>
    private async ValueTask<T> EnterAsync<T>(Func<CancellationToken, ValueTask<T>> ask, TimeSpan limit, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (!_circuit.TryEnter()) throw StorageErrors.Create(StatusCode.Unavailable, $"{name}: it is away, and asked again within {options.PauseMax.TotalSeconds:0} s");
        return await LimitAsync(ask, limit, cancellationToken);
    }

    private async ValueTask<T> LimitAsync<T>(Func<CancellationToken, ValueTask<T>> ask, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var over = new CancellationTokenSource(limit, options.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(over.Token, cancellationToken);
        try
        {
            var answer = await ask(either.Token);
            _circuit.Succeeded();
            return answer;
        }
        catch (Exception) when (over.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            string reason = $"it did not answer within {limit.TotalSeconds:0} s";
            _circuit.Failed(reason);
            throw StorageErrors.Create(StatusCode.Unavailable, $"{name}: {reason}");
        }
        catch (RpcException failure)
        {
            if (failure.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded) _circuit.Failed(failure.Status.Detail);
            else if (cancellationToken.IsCancellationRequested) _circuit.Left();
            else _circuit.Succeeded(); // a refusal is an answer
            throw new RpcException(new Status(failure.StatusCode, $"{name}: {failure.Status.Detail}", failure), failure.Trailers);
        }
        catch
        {
            _circuit.Left();
            throw;
        }
    }

    private sealed class Reader(CircuitBlobStore store, IBlobReader inner) : IBlobReader
    {
        public long RemainingBytes => inner.RemainingBytes;

        public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) =>
            store.LimitAsync(limited => inner.ReadAsync(buffer, limited), store.Options.PieceMax, cancellationToken);

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }

    private sealed class Writer(CircuitBlobStore store, IBlobWriter inner) : IBlobWriter
    {
        public long WrittenBytes => inner.WrittenBytes;

        public bool AlreadyPresent => inner.AlreadyPresent;

        public async ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) => await store.LimitAsync(
            async limited =>
            {
                await inner.AppendAsync(data, limited);
                return true;
            },
            store.Options.PieceMax, cancellationToken);

        public async ValueTask CommitAsync(CancellationToken cancellationToken) => await store.LimitAsync(
            async limited =>
            {
                await inner.CommitAsync(limited);
                return true;
            },
            store.Options.PieceMax, cancellationToken);

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
