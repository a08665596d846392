using System.Buffers;
using System.Diagnostics;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Reads a batch: all are looked up and promised together, and those in segments take one call of the kernel each.</summary>
internal sealed class BatchReader(DiskBlobStore store, IReadOnlyList<Digest> digests, IBlobReceiver receiver)
{
    public void Read(CancellationToken cancellationToken)
    {
        var asked = ArrayPool<Digest>.Shared.Rent(BlobIndex.EntriesPerHold);
        var found = ArrayPool<StoredBlob?>.Shared.Rent(BlobIndex.EntriesPerHold);
        try
        {
            for (int start = 0; start < digests.Count; start += BlobIndex.EntriesPerHold)
            {
                int count = Math.Min(BlobIndex.EntriesPerHold, digests.Count - start);
                for (int i = 0; i < count; i++) asked[i] = digests[start + i];
                store.Promises.UseMany(asked.AsSpan(0, count), found.AsSpan(0, count));
                store.Promises.Remember();
                for (int i = 0; i < count; i++)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    ReadOne(start + i, asked[i], found[i]);
                }
            }
        }
        finally
        {
            ArrayPool<Digest>.Shared.Return(asked);
            ArrayPool<StoredBlob?>.Shared.Return(found);
        }
    }

    private void ReadOne(int index, in Digest digest, StoredBlob? found)
    {
        if (digest.IsEmpty)
        {
            receiver.Found(index, default);
            return;
        }

        byte[]? lent = null;
        int read = -1;
        Exception? failure = null;
        try
        {
            if (found is { } blob) read = TryRead(blob, out lent);
            store.Observer.Opened(read < 0 ? null : digest.SizeBytes);
        }
        catch (Exception failed)
        {
            // Whatever it is, it is the failure of one blob.
            failure = failed;
        }

        if (failure is not null) receiver.Failed(index, failure);
        else if (read < 0) receiver.Missing(index);
        else receiver.Found(index, lent.AsSpan(0, read));
        if (lent is not null) ArrayPool<byte>.Shared.Return(lent);
    }

    /// <summary>The blob's bytes in what is lent; negative is a miss.</summary>
    private int TryRead(in StoredBlob blob, out byte[]? lent)
    {
        int sizeBytes = (int)blob.Digest.SizeBytes;
        lent = ArrayPool<byte>.Shared.Rent(sizeBytes);
        var data = lent.AsSpan(0, sizeBytes);
        if (!blob.Place.IsNone && store.Opener.TryRead(blob, data)) return sizeBytes;

        // A file; or a record that has moved, or is no good, meanwhile.
        if (store.Opener.TryBegin(blob.Digest, offset: 0, isCheckedWhileRead: false, CancellationToken.None) is not { } reader) return -1;
        using (reader as IDisposable)
        {
            for (int filled = 0; filled < sizeBytes;)
            {
                int count = reader.Read(data[filled..]);
                if (count == 0) throw new UnreachableException("a reader ends with its blob");
                filled += count;
            }
        }

        return store.FirstUses.Check(blob.Digest, data) ? sizeBytes : -1;
    }
}
