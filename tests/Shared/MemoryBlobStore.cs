using System.Buffers;
using System.Collections.Concurrent;
using RemoteExec.Core;
using RemoteExec.Storage;

namespace RemoteExec.Testing;

/// <summary>Blobs in memory, in the index of those on disk: the same promises, for as long as the process lives.</summary>
internal sealed class MemoryBlobStore(long limitBytes, TimeSpan retention, TimeProvider time) : IBlobStore
{
    private readonly BlobIndex _index = new(limitBytes, retention, useGranularity: TimeSpan.Zero, recorder: null);
    private readonly ConcurrentDictionary<Digest, byte[]> _blobs = new();
    private readonly SteadyTime _time = new(time);

    public BlobStoreUsage Usage => _index.Usage(isSuspect: false, _time.GetUtcNow());

    /// <summary>Whether it is here, which this is no use of.</summary>
    public bool Holds(Digest digest) => _index.LastUse(digest) is not null;

    private DateTimeOffset Now => _time.GetUtcNow();

    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
        FindMissing(digests, PromiseKind.Use, cancellationToken);

    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, PromiseKind kind, CancellationToken cancellationToken) =>
        FindMissing(digests, kind, cancellationToken);

    private ValueTask<IReadOnlyList<Digest>> FindMissing(IReadOnlyList<Digest> digests, PromiseKind kind, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var missing = new List<Digest>();
        for (int start = 0; start < digests.Count; start += BlobIndex.EntriesPerHold)
            _index.TouchMany(digests, start, Math.Min(BlobIndex.EntriesPerHold, digests.Count - start), Now, missing, kind);
        return ValueTask.FromResult<IReadOnlyList<Digest>>([.. missing.Distinct()]);
    }

    public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        StorageErrors.CheckOffset(digest, offset);
        if (digest.IsEmpty) return ValueTask.FromResult<IBlobReader?>(new MemoryBlobReader(default));

        // An eviction between the two takes nothing away: the array is ours by then, or the answer is a miss.
        bool isPresent = _index.Touch(digest, Now) & _blobs.TryGetValue(digest, out byte[]? data);
        return ValueTask.FromResult<IBlobReader?>(isPresent ? new MemoryBlobReader(data.AsMemory((int)offset)) : null);
    }

    public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (digest.IsEmpty || _index.Touch(digest, Now)) return ValueTask.FromResult<IBlobWriter>(new PresentBlobWriter(digest));

        var reservation = digest.SizeBytes > Array.MaxLength
            ? Reservation.NeverFits
            : _index.Reserve(digest.SizeBytes, Now, victim => _blobs.TryRemove(victim.Digest, out _));
        if (reservation.Result != ReservationResult.Granted) throw StorageErrors.NoRoom(reservation, digest.SizeBytes, limitBytes, retention);
        return ValueTask.FromResult<IBlobWriter>(new Writer(this, digest));
    }

    /// <summary>Bytes that are not what their name says: what a store does not take, a disk may make of what it took.</summary>
    public void PutUnchecked(Digest digest, byte[] bytes)
    {
        if (_index.Reserve(digest.SizeBytes, Now, victim => _blobs.TryRemove(victim.Digest, out _)).Result != ReservationResult.Granted) throw new InvalidOperationException("the store is full");
        lock (_index.Gate)
        {
            _blobs[digest] = bytes;
            _index.Add(digest, default, BlobFileKinds.Executable, digest.SizeBytes, Now);
        }
    }

    private sealed class Writer(MemoryBlobStore store, Digest digest) : BlobWriter(digest)
    {
        private readonly DigestCheck _check = new(digest);

        // Grows with what arrives: a digest that claims gigabytes costs nothing until it sends them.
        private readonly ArrayBufferWriter<byte> _data = new();
        private bool _isPresent;
        private bool _isDone;

        public override bool AlreadyPresent => _isPresent;

        public override ValueTask DisposeAsync()
        {
            if (!_isDone) store._index.Release(Digest.SizeBytes);
            _isDone = true;
            _check.Dispose();
            return ValueTask.CompletedTask;
        }

        protected override ValueTask TakeAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
        {
            // Somebody else may have stored the blob meanwhile.
            _isPresent = WrittenBytes > 0 && store._index.Touch(Digest, store.Now);
            if (_isPresent) return ValueTask.CompletedTask;

            _check.Hash(data.Span);
            _data.Write(data.Span);
            return ValueTask.CompletedTask;
        }

        protected override ValueTask StoreAsync(CancellationToken cancellationToken)
        {
            _check.Finish();
            lock (store._index.Gate)
            {
                // Whoever commits first wins; the others find the same bytes.
                if (!store._index.Touch(Digest, store.Now))
                {
                    store._blobs[Digest] = _data.WrittenSpan.ToArray();
                    store._index.Add(Digest, default, BlobFileKinds.Executable, Digest.SizeBytes, store.Now);
                    _isDone = true;
                }
            }

            _isPresent = true;
            return ValueTask.CompletedTask;
        }
    }
}
