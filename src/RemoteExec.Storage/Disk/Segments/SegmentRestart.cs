using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Puts together what a restart finds in segments and in files: those of segments first, straight into the index.</summary>
/// <param name="isLossNew">The machine went down under the last run: what was not flushed may be gone, and what was is looked at again.</param>
/// <param name="isLossKnown">It did so under an earlier one, and not all that was there has been looked at since.</param>
internal sealed class SegmentRestart(
    SegmentSet segments, BlobFiles files, IndexRestart index, int packedBytesMax, IDisk disk, bool isLossNew, bool isLossKnown)
{
    private readonly ConcurrentQueue<(Segment Segment, SegmentRecord Record)> _larger = [];

    /// <summary>All segments: those that are what the log says of them are not read, all others are.</summary>
    public void TakeSegments()
    {
        index.KeepPlaces(packedBytesMax, (claim, tally) =>
        {
            // What was not flushed may be gone.
            if (isLossNew || !segments.TryGoOn(claim, tally)) return false;
            foreach (var record in tally.Larger) _larger.Enqueue((segments.Find(claim.Segment)!, record));
            return true;
        });
        segments.Reopen(Take);
    }

    private void Take(Segment segment, SegmentScan scan)
    {
        var records = CollectionsMarshal.AsSpan(scan.Records);
        segment.Restore(records);
        // Copied, and the run ended before the old one was noted as dead.
        var dead = new List<StoredBlob>();
        index.Place(records, segment.Number, dead);
        foreach (var record in dead) segments.Die(record.Digest, record.Place);
        foreach (ref readonly var record in records)
            if (record.Digest.SizeBytes > packedBytesMax) _larger.Enqueue((segment, record));
    }

    /// <summary>Blobs that have files, each once, when all segments were.</summary>
    public void Take(List<StoredBlob> found)
    {
        var places = new BlobPlace[BlobIndex.EntriesPerHold];
        for (var rest = CollectionsMarshal.AsSpan(found); !rest.IsEmpty;)
        {
            var slice = rest[..Math.Min(places.Length, rest.Length)];
            rest = rest[slice.Length..];
            index.PlacesOf(slice, places);
            int kept = 0;
            for (int i = 0; i < slice.Length; i++)
            {
                if (Judge(slice[i], places[i]) is { } blob) slice[kept++] = blob;
            }

            index.Put(slice[..kept]);
        }
    }

    /// <summary>When everything was taken.</summary>
    public void Finish()
    {
        foreach (var (segment, record) in _larger)
        {
            if (index.Find(record.Digest) is { } blob
                && blob.Place == new BlobPlace(segment.Number, record.Offset) && !blob.Files.HasFlag(BlobFileKinds.Executable))
                segments.WantFile(segment, record);
        }

        segments.NoteDead();
    }

    /// <summary>What a blob is that has files, and a record at this place or at none; null when what the index has is all of it.</summary>
    private StoredBlob? Judge(in StoredBlob file, BlobPlace place)
    {
        bool isMade = file.Files.HasFlag(BlobFileKinds.Executable);
        if (place.IsNone)
        {
            // A file without the executable bit was made of something, which is gone.
            if (isMade || file.FrameBytes > 0) return file with { IsUnsure = isLossNew || isLossKnown };
            Unpublish(file);
            return null;
        }

        if (file.FrameBytes > 0)
        {
            // Then no record is wanted: a run with other sizes wrote it.
            segments.Die(file.Digest, place);
            return file with { IsUnsure = isLossNew || isLossKnown };
        }

        if (isLossNew) return JudgeUnflushed(file, place);
        if (file.Digest.SizeBytes <= packedBytesMax || !isMade) return file with { Place = place };

        segments.Find(place.Segment)!.Move(new SegmentRecord(file.Digest, place.Offset)); // it was just read
        return file with { IsUnsure = isLossKnown };
    }

    /// <summary>A file that was made of a record, and not flushed.</summary>
    private StoredBlob? JudgeUnflushed(in StoredBlob file, BlobPlace place)
    {
        bool isReadable = segments.Read(file.Digest, place, new byte[file.Digest.SizeBytes]) == SegmentRead.Whole;
        if (!isReadable)
        {
            segments.Die(file.Digest, place);
            if (file.Files.HasFlag(BlobFileKinds.Executable) && IsWhole(file.Digest)) return file;
        }

        // Whatever it is now, it can be made again of a record that is good; with a bad one the blob is gone.
        Unpublish(file);
        return isReadable ? null : new StoredBlob(file.Digest, default, BlobFileKinds.None);
    }

    private void Unpublish(in StoredBlob file)
    {
        if (file.Files.HasFlag(BlobFileKinds.Executable)) files.Unpublish(file.Digest);
        if (file.Files.HasFlag(BlobFileKinds.Data)) files.Unpublish(file.Digest, isVariant: true);
    }

    private bool IsWhole(in Digest digest)
    {
        using var file = files.TryOpen(digest);
        return file is not null && FileContent.Is(file, digest, disk);
    }
}
