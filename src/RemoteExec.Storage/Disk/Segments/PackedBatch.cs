using System.Buffers;
using System.Diagnostics;
using Grpc.Core;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// A batch of small blobs as one unit: one look into the index, hashed where it came in, one reservation, one place in the group that is flushed.
/// Each has its own status (REAPI, BatchUpdateBlobs).
/// </summary>
internal sealed class PackedBatch(DiskBlobStore store, IReadOnlyList<(Digest Digest, ReadOnlyMemory<byte> Data)> blobs)
{
    // Of records that are written at once: what is lent for them, and what others wait for.
    private const int UnitBytesMax = 4 << 20;
    private const int UnitRecordsMax = 16 * 1024;

    private readonly Status[] _statuses = new Status[blobs.Count];

    public async ValueTask<Status[]> WriteAsync(CancellationToken cancellationToken)
    {
        await CheckUnsureAsync(cancellationToken);
        var fresh = TakePresent(out var large);
        for (int start = 0; start < fresh.Count;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int end = start;
            for (long bytes = 0; end < fresh.Count && end - start < UnitRecordsMax; end++)
            {
                bytes += SegmentFormat.RecordBytes(blobs[fresh[end]].Digest);
                if (bytes > UnitBytesMax && end > start) break;
            }

            await WriteUnitAsync(fresh.GetRange(start, end - start));
            start = end;
        }

        if (large.Count == 0) return _statuses;

        var statuses = await BlobStoreExtensions.WriteEachAsync(store, [.. large.Select(i => blobs[i])], cancellationToken);
        for (int i = 0; i < statuses.Length; i++) _statuses[large[i]] = statuses[i];
        return _statuses;
    }

    /// <summary>What is there is not believed for nothing, when its bytes are at hand.</summary>
    private async ValueTask CheckUnsureAsync(CancellationToken cancellationToken)
    {
        for (int i = 0; i < blobs.Count && !store.FirstUses.AreOver; i++)
        {
            var digest = blobs[i].Digest;
            try
            {
                await store.FirstUses.CheckAsync(digest, cancellationToken);
            }
            catch (Exception failure) when (failure is RpcException || !cancellationToken.IsCancellationRequested)
            {
                // Whatever it is, it is the failure of one blob.
                _statuses[i] = BlobStoreExtensions.StatusOf(digest, failure);
            }
        }
    }

    /// <summary>Answers for what needs no writing, and tells what a segment takes from what is a file.</summary>
    private List<int> TakePresent(out List<int> large)
    {
        var fresh = new List<int>(blobs.Count);
        large = [];
        var asked = ArrayPool<Digest>.Shared.Rent(BlobIndex.EntriesPerHold);
        var found = ArrayPool<StoredBlob?>.Shared.Rent(BlobIndex.EntriesPerHold);
        for (int start = 0; start < blobs.Count; start += BlobIndex.EntriesPerHold)
        {
            int count = Math.Min(BlobIndex.EntriesPerHold, blobs.Count - start);
            for (int i = 0; i < count; i++) asked[i] = blobs[start + i].Digest;
            store.Promises.UseMany(asked.AsSpan(0, count), found.AsSpan(0, count));
            for (int i = 0; i < count; i++)
            {
                var (digest, data) = blobs[start + i];
                bool isThere = digest.IsEmpty || found[i] is not null;
                if (_statuses[start + i].StatusCode != StatusCode.OK) continue;
                if (data.Length != digest.SizeBytes) _statuses[start + i] = WrongSize(digest, data.Length);
                else if (!isThere) (store.IsLogged(digest.SizeBytes) ? fresh : large).Add(start + i);
            }
        }

        ArrayPool<Digest>.Shared.Return(asked);
        ArrayPool<StoredBlob?>.Shared.Return(found);
        store.Promises.Remember();
        return fresh;
    }

    private async Task WriteUnitAsync(List<int> unit)
    {
        var digests = new List<Digest>(unit.Count);
        var places = new List<int>(unit.Count); // in the batch, of each that is written
        byte[] records = ArrayPool<byte>.Shared.Rent(unit.Sum(i => SegmentFormat.RecordBytes(blobs[i].Digest)));
        long heldBytes = 0;
        try
        {
            int length = Encode(unit, records, digests, places, ref heldBytes);
            if (digests.Count == 0) return;

            var pending = new PendingRecords(digests, records.AsMemory(0, length));
            await store.Log.AppendAsync(pending, mayBlock: true);
            for (int i = 0; i < digests.Count; i++)
            {
                if (pending.Results[i] != AddResult.NotAdded) heldBytes -= digests[i].SizeBytes;
                Tell(places[i], digests[i], pending.Results[i], pending.FailureOf(i));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(records);
            if (heldBytes > 0) store.Index.Release(heldBytes);
        }
    }

    /// <summary>The records of those that are what they say, and for which there is room.</summary>
    private int Encode(List<int> unit, byte[] records, List<Digest> digests, List<int> places, ref long heldBytes)
    {
        long wantedBytes = unit.Sum(i => blobs[i].Digest.SizeBytes);
        bool isRoomForAll = store.Room.TryReserve(wantedBytes, unit.Count);
        if (isRoomForAll) heldBytes = wantedBytes;
        int length = 0;
        foreach (int i in unit)
        {
            var (digest, data) = blobs[i];
            var actual = Digest.Of(digest.Function, data.Span);
            if (actual != digest)
            {
                _statuses[i] = new Status(StatusCode.InvalidArgument, $"upload of {digest} hashes to {actual.Hash}");
                continue; // what was reserved for it is given back with the rest
            }

            if (!isRoomForAll && !TryReserve(i, digest, ref heldBytes)) continue;

            var record = records.AsSpan(length, SegmentFormat.RecordBytes(digest));
            data.Span.CopyTo(record[SegmentFormat.HeadBytes(digest.Function)..]);
            SegmentFormat.Seal(record, digest, store.Segments.Mark);
            length += record.Length;
            digests.Add(digest);
            places.Add(i);
        }

        return length;
    }

    private bool TryReserve(int index, in Digest digest, ref long heldBytes)
    {
        try
        {
            store.Room.CheckFits(digest.SizeBytes);
            store.Room.Reserve(digest.SizeBytes);
            heldBytes += digest.SizeBytes;
            return true;
        }
        catch (RpcException refused)
        {
            _statuses[index] = refused.Status;
            return false;
        }
    }

    private void Tell(int index, in Digest digest, AddResult result, Exception? failure)
    {
        switch (result)
        {
            case AddResult.Added:
                store.Observer.Stored(digest.SizeBytes);
                break;
            case AddResult.Present:
                store.Observer.FoundPresent();
                break;
            default:
                _statuses[index] = BlobStoreExtensions.StatusOf(digest, failure ?? new UnreachableException("a record without an outcome"));
                break;
        }
    }

    // In the words of a writer that gets too much or too little.
    private static Status WrongSize(in Digest digest, int bytes) => new(
        StatusCode.InvalidArgument,
        bytes > digest.SizeBytes
            ? $"upload of {digest} has more bytes than its digest says"
            : $"upload of {digest} ended after {bytes} of {digest.SizeBytes} bytes");
}
