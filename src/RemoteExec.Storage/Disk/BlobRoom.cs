using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>Room for what is coming: on the disk, which others leave for it, and in memory.</summary>
internal sealed class BlobRoom(BlobIndex index, BlobFiles files, SegmentSet segments, SteadyTime time, IBlobStoreObserver observer)
{
    // Of small uploads under way; beyond it they go the way of large ones.
    private const long GatheredBytesMax = 64 << 20;

    private long _gatheredBytes;

    /// <summary>Called when blobs that were in segments have left room for others.</summary>
    public Action? HasDied { get; set; }

    /// <summary>Called when blobs have gone to make room.</summary>
    public Action? HasEvicted { get; set; }

    private BlobFiles Files => files;

    private SegmentSet Segments => segments;

    private IBlobStoreObserver Observer => observer;

    /// <summary>Room in memory for an upload; <see cref="Gathered"/> gives it back.</summary>
    public bool TryGather(long bytes)
    {
        if (Interlocked.Add(ref _gatheredBytes, bytes) <= GatheredBytesMax) return true;

        Gathered(bytes);
        return false;
    }

    public void Gathered(long bytes) => Interlocked.Add(ref _gatheredBytes, -bytes);

    /// <summary>Refuses a blob that would not fit into an empty store.</summary>
    public void CheckFits(long bytes)
    {
        if (bytes > index.LimitBytes) throw StorageErrors.NoRoom(Reservation.NeverFits, bytes, index.LimitBytes, index.Retention);
    }

    public void Reserve(long bytes)
    {
        var reservation = ReserveOrRefuse(bytes, blobs: 1);
        if (reservation.Result == ReservationResult.Granted) return;

        observer.Refused();
        throw StorageErrors.NoRoom(reservation, bytes, index.LimitBytes, index.Retention);
    }

    /// <summary>For what is only a convenience: no room is no failure.</summary>
    /// <param name="blobs">So many new ones it is for.</param>
    public bool TryReserve(long bytes, int blobs) => ReserveOrRefuse(bytes, blobs).Result == ReservationResult.Granted;

    /// <summary>Evicts those that nobody was promised and nobody has used since then; what has gone.</summary>
    public (int Blobs, long Bytes) GiveUp(IReadOnlyList<Digest> digests, long usedUpToMs)
    {
        var eviction = new Eviction(this);
        try
        {
            for (int start = 0; start < digests.Count; start += BlobIndex.EvictionsPerHold)
            {
                var some = DigestSpans.Of(digests, start, Math.Min(BlobIndex.EvictionsPerHold, digests.Count - start));
                index.GiveUp(some, usedUpToMs, time.GetUtcNow(), eviction.Evict);
                eviction.DeleteHidden();
            }
        }
        finally
        {
            eviction.End();
        }

        return (eviction.Blobs, eviction.Bytes);
    }

    private Reservation ReserveOrRefuse(long bytes, int blobs)
    {
        var eviction = new Eviction(this);
        try
        {
            return index.Reserve(bytes, time.GetUtcNow(), eviction.Evict, eviction.DeleteHidden, blobs);
        }
        finally
        {
            eviction.End();
            if (eviction.Blobs > 0) HasEvicted?.Invoke();
        }
    }

    /// <summary>What happens to those who go.</summary>
    private sealed class Eviction(BlobRoom room)
    {
        private readonly List<string> _hidden = [];
        private bool _hasDied;

        public int Blobs { get; private set; }

        public long Bytes { get; private set; }

        /// <summary>Under the lock of the index.</summary>
        public void Evict(StoredBlob blob)
        {
            room.Files.Hide(blob, _hidden);
            Blobs++;
            Bytes += blob.AccountedBytes;
            if (blob.Place.IsNone) return;
            room.Segments.Die(blob.Digest, blob.Place);
            _hasDied = true;
        }

        /// <summary>Freeing the blocks of a large file takes a while, so it happens without the lock.</summary>
        public void DeleteHidden()
        {
            foreach (string name in _hidden) room.Files.DeleteTemp(name);
            _hidden.Clear();
            room.Segments.NoteDead();
        }

        public void End()
        {
            DeleteHidden();
            if (Blobs > 0) room.Observer.Evicted(Bytes);
            if (_hasDied) room.HasDied?.Invoke();
        }
    }
}
