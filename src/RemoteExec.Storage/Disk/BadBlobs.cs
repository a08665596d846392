namespace RemoteExec.Storage;

/// <summary>What is not what its name says, or cannot be read, becomes a miss: whoever needs it makes it again.</summary>
internal sealed class BadBlobs(BlobIndex index, BlobFiles files, SegmentSet segments, IDisk disk, IBlobStoreObserver observer)
{
    public void Quarantine(in Digest digest)
    {
        // Not there any more may also mean evicted a moment ago.
        if (index.Remove(digest, Bury)) Tell();
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

    /// <summary>The same of one whose file somebody took away. False when that is not so, and nothing changes.</summary>
    public bool TryLoseFile(in Digest digest, BlobFileKinds kind)
    {
        lock (index.Gate)
        {
            if (!index.FilesOf(digest).HasFlag(kind) || files.Has(digest, isVariant: kind == BlobFileKinds.Data)) return false;
            index.Remove(digest, Bury);
        }

        Tell();
        return true;
    }

    /// <summary>The same of one of which this file is bad: it lives on in its record, or in its other file, if that is the one that it is read from.</summary>
    public void LoseFile(in Digest digest, BlobFileKinds kind)
    {
        lock (index.Gate)
        {
            if (!index.FilesOf(digest).HasFlag(kind)) return;
            if (index.TryDropFile(digest, kind)) files.Quarantine(new StoredBlob(digest, default, kind));
            else index.Remove(digest, Bury);
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
