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

    private Reservation ReserveOrRefuse(long bytes, int blobs)
    {
        var hidden = new List<string>();
        long evictedBytes = 0;
        bool hasDied = false;
        try
        {
            return index.Reserve(bytes, time.GetUtcNow(), Evict, DeleteHidden, blobs);
        }
        finally
        {
            DeleteHidden();
            if (evictedBytes > 0) observer.Evicted(evictedBytes);
            if (hasDied) HasDied?.Invoke();
        }

        void Evict(StoredBlob blob)
        {
            files.Hide(blob, hidden);
            evictedBytes += blob.AccountedBytes;
            if (blob.Place.IsNone) return;
            segments.Die(blob.Digest, blob.Place);
            hasDied = true;
        }

        // Freeing the blocks of a large file takes a while, so it happens without the lock.
        void DeleteHidden()
        {
            foreach (string name in hidden) files.DeleteTemp(name);
            hidden.Clear();
            segments.NoteDead();
        }
    }
}
