using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>
/// Each blob in two stores. While one of them is away or out of order the other serves alone, and what one turns out to lack is copied to it
/// from the other: after a write that only one took, and whenever a question or a read finds it out. So a store that was lost, and comes
/// back empty, fills by being used.
/// </summary>
/// <remarks>
/// What a client is told: a blob is stored, or present, when one of the two has it for certain, which then keeps the promise (D4) for both until
/// the copy is made; a client waits for no copy. Which is as safe as while the other is away, and no less. What one lacks and the other
/// cannot be asked about is missing: who is told so uploads it again or makes it anew, where an error would end his build.
/// </remarks>
public sealed class MirroredBlobStore(BlobNode first, BlobNode second, BlobRepairs repairs) : IBlobStore
{
    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
        FindMissingAsync(store => store.FindMissingAsync(digests, cancellationToken), cancellationToken);

    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(
        IReadOnlyList<Digest> digests, PromiseKind kind, CancellationToken cancellationToken) =>
        FindMissingAsync(store => store.FindMissingAsync(digests, kind, cancellationToken), cancellationToken);

    private async ValueTask<IReadOnlyList<Digest>> FindMissingAsync(
        Func<IBlobStore, ValueTask<IReadOnlyList<Digest>>> ask, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var one = AskAsync(ask(first.Store));
        var other = AskAsync(ask(second.Store));
        await Task.WhenAll(one, other);

        var (missingOfOne, failureOfOne) = await one;
        var (missingOfOther, failureOfOther) = await other;
        if (missingOfOne is null) return missingOfOther ?? throw failureOfOne!;
        if (missingOfOther is null) return missingOfOne;
        if (missingOfOne.Count == 0 && missingOfOther.Count == 0) return [];

        Heal(missingOfOne, missingOfOther.ToHashSet(), from: second, to: first);
        Heal(missingOfOther, missingOfOne.ToHashSet(), from: first, to: second);
        var nowhere = missingOfOther.ToHashSet();
        return [.. missingOfOne.Where(nowhere.Contains)];
    }

    public async ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        StorageErrors.CheckOffset(digest, offset);
        if (digest.IsEmpty) return new MemoryBlobReader(default);

        // Reads are shared evenly, and one blob's go to one of them, which has it in its memory then.
        var (near, far) = (digest.GetHashCode() & 1) == 0 ? (first, second) : (second, first);
        var (reader, failure) = await AskAsync(near.Store.OpenReadAsync(digest, offset, cancellationToken));
        if (reader is not null) return new MirroredBlobReader(digest, reader, far.Store);

        var (spare, spareFailure) = await AskAsync(far.Store.OpenReadAsync(digest, offset, cancellationToken));
        if (spare is not null)
        {
            if (failure is null) repairs.Ask(digest, from: far, to: near);
            return new MirroredBlobReader(digest, spare, failure is null ? null : near.Store);
        }

        return failure is not null && spareFailure is not null ? throw failure : null;
    }

    public async ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (digest.IsEmpty) return new PresentBlobWriter(digest);

        var one = AskAsync(first.Store.CreateWriterAsync(digest, cancellationToken));
        var other = AskAsync(second.Store.CreateWriterAsync(digest, cancellationToken));
        try
        {
            await Task.WhenAll(one, other);
        }
        catch
        {
            // The caller has left. What was opened for him is closed.
            foreach (var opened in new[] { one, other }.Where(task => task.IsCompletedSuccessfully))
            {
                if ((await opened).Answer is { } writer) await writer.DisposeAsync();
            }

            throw;
        }

        var (writerOfOne, failureOfOne) = await one;
        var (writerOfOther, failureOfOther) = await other;
        return writerOfOne is null && writerOfOther is null
            ? throw failureOfOne!
            : new MirroredBlobWriter(digest, new(first, writerOfOne, failureOfOne), new(second, writerOfOther, failureOfOther), repairs);
    }

    /// <summary>One batch to each, at once. What only one of them took is stored, and copied to the other.</summary>
    public async ValueTask<Status[]> WriteManyAsync(IReadOnlyList<(Digest Digest, ReadOnlyMemory<byte> Data)> blobs, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var both = await Task.WhenAll(first.Store.TryWriteManyAsync(blobs, cancellationToken), second.Store.TryWriteManyAsync(blobs, cancellationToken));
        var statuses = new Status[blobs.Count];
        for (int i = 0; i < statuses.Length; i++) statuses[i] = StatusOf(blobs[i].Digest, both[0][i], both[1][i]);
        return statuses;
    }

    public ValueTask ReadManyAsync(IReadOnlyList<Digest> digests, IBlobReceiver receiver, CancellationToken cancellationToken) =>
        this.ReadTogetherAsync(digests, receiver, cancellationToken);

    /// <summary>Whether it says something of the store, so that the other may do better; otherwise it is the caller's own fault.</summary>
    internal static bool IsOfStore(RpcException failure) => IsOfStore(failure.StatusCode);

    private static bool IsOfStore(StatusCode code) => code is not (StatusCode.InvalidArgument or StatusCode.OutOfRange);

    private Status StatusOf(in Digest digest, Status one, Status other)
    {
        if (digest.IsEmpty && IsOfStore(one.StatusCode) && IsOfStore(other.StatusCode)) return Status.DefaultSuccess; // it is everywhere
        if (one.StatusCode == other.StatusCode || !IsOfStore(one.StatusCode)) return one;
        if (!IsOfStore(other.StatusCode)) return other;

        if (one.StatusCode == StatusCode.OK) repairs.Ask(digest, from: first, to: second);
        else if (other.StatusCode == StatusCode.OK) repairs.Ask(digest, from: second, to: first);
        else return one;
        return Status.DefaultSuccess;
    }

    private static async Task<(T? Answer, RpcException? Failure)> AskAsync<T>(ValueTask<T> asking)
    {
        try
        {
            return (await asking, null);
        }
        catch (RpcException failure) when (IsOfStore(failure))
        {
            return (default, failure);
        }
    }

    private void Heal(IReadOnlyList<Digest> missing, HashSet<Digest> missingElsewhere, BlobNode from, BlobNode to)
    {
        foreach (var digest in missing)
        {
            if (!missingElsewhere.Contains(digest)) repairs.Ask(digest, from, to);
        }
    }
}
