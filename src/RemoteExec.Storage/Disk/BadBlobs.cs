using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>What is not what its name says, or cannot be read, becomes a miss: whoever needs it makes it again.</summary>
internal sealed class BadBlobs(BlobIndex index, BlobFiles files, SegmentSet segments, IDisk disk, IBlobStoreObserver observer)
{
    public void Quarantine(in Digest digest)
    {
        // Not there any more may also mean evicted a moment ago.
        if (index.Remove(digest, Bury)) Tell();
    }

    /// <summary>The same of one that is <see cref="StoredBlob.IsUnsure"/>, and no other: that would have been stored anew.</summary>
    public void LoseUnsure(in Digest digest)
    {
        lock (index.Gate)
        {
            if (!index.IsUnsure(digest)) return;
            index.Remove(digest, Bury);
        }

        Tell();
    }

    /// <summary>The same of one whose record is bad, if it is at this place still; one that has a good file besides lives on in that.</summary>
    public void LoseRecord(in Digest digest, BlobPlace place)
    {
        bool isFileGood = index.FilesOf(digest).HasFlag(BlobFileKinds.Executable) && LinkedFile.TryKeep(files, digest, disk);
        lock (index.Gate)
        {
            if (!index.TryMove(digest, place, place)) return;
            if (isFileGood && index.TryMove(digest, place, default)) segments.Die(digest, place);
            else index.Remove(digest, Bury);
        }

        Tell();
    }

    /// <summary>The same of one whose file somebody took away. False when that is not so, and nothing changes; or when it lives on without that file.</summary>
    public bool TryLoseFile(in Digest digest, BlobFileKinds kind)
    {
        bool isLost;
        lock (index.Gate)
        {
            if (!index.FilesOf(digest).HasFlag(kind) || files.Has(digest, isVariant: kind == BlobFileKinds.Data)) return false;
            isLost = !index.TryDropFile(digest, kind);
            if (isLost) index.Remove(digest, Bury);
        }

        Tell();
        return isLost;
    }

    /// <summary>
    /// The same of one of which this file is bad, if it has it still: whoever read for minutes may hold one that others put aside, and that was stored anew
    /// since. The blob lives on in its record, in its frame, or in its other file, if that is the one that it is read from.
    /// </summary>
    /// <param name="opened">What the file was opened as; null when it could not be.</param>
    public void LoseFile(in Digest digest, BlobFileKinds kind, SafeFileHandle? opened)
    {
        lock (index.Gate)
        {
            if (!index.FilesOf(digest).HasFlag(kind)) return;
            using (var present = files.TryOpen(digest, isVariant: kind == BlobFileKinds.Data))
            {
                if (!BlobFiles.IsStill(opened, present)) return;
            }

            if (index.TryDropFile(digest, kind)) files.Quarantine(new StoredBlob(digest, default, kind));
            else index.Remove(digest, Bury);
        }

        Tell();
    }

    /// <summary>The same of one of which this frame is bad: whatever else it has was made of that.</summary>
    /// <inheritdoc cref="LoseFile"/>
    public void LoseFrame(in Digest digest, long frameBytes, SafeFileHandle? opened)
    {
        lock (index.Gate)
        {
            if (index.Find(digest)?.FrameBytes != frameBytes) return;
            using (var present = files.TryOpenFrame(digest, frameBytes))
            {
                if (!BlobFiles.IsStill(opened, present)) return;
            }

            index.Remove(digest, Bury);
        }

        Tell();
    }

    private void Tell()
    {
        segments.NoteDead();
        observer.Corrupted();
    }

    private void Bury(StoredBlob blob)
    {
        files.Quarantine(blob);
        if (!blob.Place.IsNone) segments.Die(blob.Digest, blob.Place);
    }
}
