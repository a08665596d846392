using System.Collections.Concurrent;
using Grpc.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>A store on a machine that a test switches off, or lets fall silent.</summary>
internal sealed class FaultyBlobStore(IBlobStore inner) : IBlobStore
{
    public IBlobStore Inner { get; set; } = inner;

    public bool IsAway { get; set; }

    /// <summary>Whoever asks gets no answer, until he gives up.</summary>
    public bool IsMute { get; set; }

    /// <summary>Every reader breaks after so many reads.</summary>
    public int? ReadsUntilAway { get; set; }

    /// <summary>What it refuses writers with.</summary>
    public StatusCode? RefusesWrites { get; set; }

    /// <summary>Which blobs of a batch it refuses, with that.</summary>
    public Func<Digest, StatusCode?> Refuses { get; set; } = _ => null;

    /// <summary>How many blobs each batch had.</summary>
    public ConcurrentQueue<int> Batches { get; } = new();

    public int Questions { get; private set; }

    public int Opened { get; private set; }

    public async ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken)
    {
        Questions++;
        await AnswerAsync(cancellationToken);
        return await Inner.FindMissingAsync(digests, cancellationToken);
    }

    public async ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken)
    {
        Opened++;
        await AnswerAsync(cancellationToken);
        return await Inner.OpenReadAsync(digest, offset, cancellationToken) is { } reader ? new Reader(this, reader) : null;
    }

    public async ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken)
    {
        await AnswerAsync(cancellationToken);
        if (RefusesWrites is { } code) throw new RpcException(new Status(code, "refused"));
        return new Writer(this, await Inner.CreateWriterAsync(digest, cancellationToken));
    }

    public async ValueTask<Status[]> WriteManyAsync(IReadOnlyList<(Digest Digest, ReadOnlyMemory<byte> Data)> blobs, CancellationToken cancellationToken)
    {
        Batches.Enqueue(blobs.Count);
        await AnswerAsync(cancellationToken);
        var statuses = new Status[blobs.Count];
        for (int i = 0; i < statuses.Length; i++)
        {
            statuses[i] = (RefusesWrites ?? Refuses(blobs[i].Digest)) is { } code
                ? new Status(code, "refused")
                : (await Inner.WriteManyAsync([blobs[i]], cancellationToken))[0];
        }

        return statuses;
    }

    private async ValueTask AnswerAsync(CancellationToken cancellationToken)
    {
        if (IsMute) await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
        if (IsAway) throw new RpcException(new Status(StatusCode.Unavailable, "switched off"));
    }

    private sealed class Reader(FaultyBlobStore store, IBlobReader inner) : IBlobReader
    {
        private int _reads;

        public long RemainingBytes => inner.RemainingBytes;

        public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            if (_reads++ >= store.ReadsUntilAway) throw new RpcException(new Status(StatusCode.Unavailable, "cut"));
            await store.AnswerAsync(cancellationToken);
            return await inner.ReadAsync(buffer, cancellationToken);
        }

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }

    private sealed class Writer(FaultyBlobStore store, IBlobWriter inner) : IBlobWriter
    {
        public long WrittenBytes => inner.WrittenBytes;

        public bool AlreadyPresent => inner.AlreadyPresent;

        public async ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
        {
            await store.AnswerAsync(cancellationToken);
            await inner.AppendAsync(data, cancellationToken);
        }

        public async ValueTask CommitAsync(CancellationToken cancellationToken)
        {
            await store.AnswerAsync(cancellationToken);
            await inner.CommitAsync(cancellationToken);
        }

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
