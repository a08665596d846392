using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;

namespace RemoteExec.Storage;

/// <summary>Looks blobs up and promises them (D4), so that it survives a kill.</summary>
internal sealed class BlobPromises(BlobIndex index, UseLog uses, SteadyTime time, IBlobStoreObserver observer)
{
    private readonly Lock _rewriteGate = new();
    private Task _rewriting = Task.CompletedTask;

    /// <summary>Promises a blob, and says where it is.</summary>
    public bool TryUse(in Digest digest, out StoredBlob blob)
    {
        if (!index.TryUse(digest, time.GetUtcNow(), out blob)) return false;
        Remember();
        return true;
    }

    /// <summary>The same for many; <see cref="Remember"/> is the caller's.</summary>
    public void UseMany(ReadOnlySpan<Digest> digests, Span<StoredBlob?> found) => index.UseMany(digests, time.GetUtcNow(), found);

    /// <summary>Whether the blob is here; if so it is promised from now on, and that survives a kill.</summary>
    public bool TryPromise(in Digest digest)
    {
        if (!index.Touch(digest, time.GetUtcNow())) return false;
        Remember();
        return true;
    }

    /// <summary>The same for many, with one time, so that they stand side by side in the order of eviction; between two slices of them others may have the index.</summary>
    public void PromiseMany(
        IReadOnlyList<Digest> digests, ICollection<Digest> missing, CancellationToken cancellationToken, PromiseKind kind = PromiseKind.Use)
    {
        var now = time.GetUtcNow();
        for (int start = 0; start < digests.Count; start += BlobIndex.EntriesPerHold)
        {
            cancellationToken.ThrowIfCancellationRequested();
            index.TouchMany(digests, start, Math.Min(BlobIndex.EntriesPerHold, digests.Count - start), now, missing, kind);
        }

        Remember();
    }

    public ValueTask<IReadOnlyList<Digest>> FindMissing(IReadOnlyList<Digest> digests, PromiseKind kind, CancellationToken cancellationToken)
    {
        observer.Asked(digests.Count);
        var missing = new List<Digest>();
        PromiseMany(digests, missing, cancellationToken, kind);
        return ValueTask.FromResult<IReadOnlyList<Digest>>(OnceEach(missing));
    }

    private static List<Digest> OnceEach(List<Digest> digests) => IsOnceEach(CollectionsMarshal.AsSpan(digests)) ? digests : [.. digests.Distinct()];

    /// <summary>Clients hardly ever ask for the same blob twice in a call; to see that they did not must cost next to nothing.</summary>
    private static bool IsOnceEach(ReadOnlySpan<Digest> digests)
    {
        if (digests.Length < 2) return true;

        // A hash table of places, one more than each, so that zero is none; half of it stays empty.
        int mask = (int)BitOperations.RoundUpToPowerOf2((uint)digests.Length * 2) - 1;
        int[] places = ArrayPool<int>.Shared.Rent(mask + 1);
        Array.Clear(places, 0, mask + 1);
        bool isOnceEach = true;
        for (int i = 0; i < digests.Length && isOnceEach; i++)
        {
            int at = digests[i].GetHashCode() & mask;
            for (; isOnceEach && places[at] != 0; at = (at + 1) & mask) isOnceEach = digests[places[at] - 1] != digests[i];
            places[at] = i + 1;
        }

        ArrayPool<int>.Shared.Return(places);
        return isOnceEach;
    }

    public void Remember()
    {
        uses.Flush();
        if (!uses.WantsRewrite) return;

        // Not on the way of whoever asked for a blob.
        lock (_rewriteGate)
        {
            if (_rewriting.IsCompleted) _rewriting = Task.Run(() => uses.TryRewrite(index));
        }
    }

    /// <summary>Waits for what goes on behind everybody's back.</summary>
    public Task DrainAsync()
    {
        lock (_rewriteGate) return _rewriting;
    }
}
