using System.Buffers;
using System.Collections.Concurrent;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Blobs in memory: for tests, and as a small fast tier. The same promises as on disk, for as long as the process lives.</summary>
public sealed class MemoryBlobStore(long limitBytes, TimeSpan retention, TimeProvider time) : IBlobStore
{
    private readonly BlobIndex _index = new(limitBytes, retention, useGranularity: TimeSpan.Zero, recorder: null);
    private readonly ConcurrentDictionary<Digest, byte[]> _blobs = new();

    public BlobStoreUsage Usage => _index.Usage(isSuspect: false);

    private DateTimeOffset Now => time.GetUtcNow();

    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var missing = new List<Digest>();
        _index.TouchMany(digests, 0, digests.Count, Now, missing);
        return ValueTask.FromResult<IReadOnlyList<Digest>>([.. missing.Distinct()]);
    }

    public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        StorageErrors.CheckOffset(digest, offset);
        if (digest.IsEmpty) return ValueTask.FromResult<IBlobReader?>(EmptyBlob.Instance);

        // An eviction between the two takes nothing away: the array is ours by then, or the answer is a miss.
        bool isPresent = _index.Touch(digest, Now) & _blobs.TryGetValue(digest, out byte[]? data);
        return ValueTask.FromResult<IBlobReader?>(isPresent ? new MemoryBlobReader(data.AsMemory((int)offset)) : null);
    }

    public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (digest.IsEmpty) return ValueTask.FromResult<IBlobWriter>(EmptyBlob.Instance);
        if (_index.Touch(digest, Now)) return ValueTask.FromResult<IBlobWriter>(new PresentBlobWriter(digest));

        var reservation = digest.SizeBytes > Array.MaxLength
            ? Reservation.NeverFits
            : _index.Reserve(digest.SizeBytes, Now, victim => _blobs.TryRemove(victim.Digest, out _));
        if (reservation.Result != ReservationResult.Granted) throw StorageErrors.NoRoom(reservation, digest.SizeBytes, limitBytes);
        return ValueTask.FromResult<IBlobWriter>(new Writer(this, digest));
    }

    private sealed class Writer(MemoryBlobStore store, Digest digest) : IBlobWriter
    {
        private readonly DigestCheck _check = new(digest);

        // Grows with what arrives: a digest that claims gigabytes costs nothing until it sends them.
        private readonly ArrayBufferWriter<byte> _data = new();
        private bool _isDone;

        public long WrittenBytes => _check.CountedBytes;

        public bool AlreadyPresent { get; private set; }

        public ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
        {
            cancellationToken.ThrowIfCancellationRequested();
            _check.Count(data.Length);
            if (AlreadyPresent) return ValueTask.CompletedTask;

            _check.Hash(data.Span);
            _data.Write(data.Span);
            return ValueTask.CompletedTask;
        }

        public ValueTask CommitAsync(CancellationToken cancellationToken)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (AlreadyPresent) return ValueTask.CompletedTask;

            _check.Finish();
            lock (store._index.Gate)
            {
                // Whoever commits first wins; the others find the same bytes.
                if (!store._index.Touch(digest, store.Now))
                {
                    store._blobs[digest] = _data.WrittenSpan.ToArray();
                    store._index.Add(digest, digest.SizeBytes, store.Now);
                    _isDone = true;
                }
            }

            AlreadyPresent = true;
            return ValueTask.CompletedTask;
        }

        public ValueTask DisposeAsync()
        {
            if (!_isDone) store._index.Release(digest.SizeBytes);
            _isDone = true;
            _check.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
