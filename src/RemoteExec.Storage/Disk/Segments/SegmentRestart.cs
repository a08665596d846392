using System.Runtime.InteropServices;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Puts together what a restart finds in segments and in files.</summary>
/// <param name="isLossNew">The machine went down under the last run: what was not flushed may be gone, and what was is looked at again.</param>
/// <param name="isLossKnown">It did so under an earlier one, and not all that was there has been looked at since.</param>
internal sealed class SegmentRestart(SegmentSet segments, BlobFiles files, int packedBytesMax, IDisk disk, bool isLossNew, bool isLossKnown)
{
    private readonly Dictionary<Digest, BlobPlace> _places = [];

    /// <param name="found">Oldest first.</param>
    public List<StoredBlob> Merge(List<(Segment Segment, SegmentScan Scan)> found, List<StoredBlob> inFiles)
    {
        _places.EnsureCapacity(found.Sum(segment => segment.Scan.Records.Count));
        foreach (var (segment, scan) in found)
        {
            foreach (var record in scan.Records)
            {
                segment.Restore(record);
                ref var place = ref CollectionsMarshal.GetValueRefOrAddDefault(_places, record.Digest, out bool isTwice);
                // Copied, and the run ended before the old one was noted as dead.
                if (isTwice) segments.Die(record.Digest, place);
                place = new BlobPlace(segment.Number, record.Offset);
            }
        }

        var all = new List<StoredBlob>(inFiles.Count + _places.Count);
        foreach (var file in inFiles)
        {
            if (Judge(file) is { } blob) all.Add(blob);
        }

        foreach (var (digest, place) in _places)
        {
            all.Add(new StoredBlob(digest, place, BlobFileKinds.None));
            if (digest.SizeBytes > packedBytesMax && segments.Find(place.Segment) is { } segment)
                segments.WantFile(segment, new SegmentRecord(digest, place.Offset));
        }

        segments.NoteDead();
        return all;
    }

    /// <summary>What a blob is that has files; null when it is none, or what is in its segment is all of it.</summary>
    private StoredBlob? Judge(in StoredBlob file)
    {
        if (!_places.TryGetValue(file.Digest, out var place))
        {
            // A file without the executable bit was made of something, which is gone.
            if (file.Files.HasFlag(BlobFileKinds.Executable) || file.FrameBytes > 0) return file with { IsUnsure = isLossNew || isLossKnown };
            Unpublish(file);
            return null;
        }

        if (file.FrameBytes > 0) return JudgeBeside(file);
        var segment = segments.Find(place.Segment)!; // it was just read
        if (isLossNew)
        {
            if (IsReadable(file.Digest, place))
            {
                // Made of the record, unflushed: whatever it is now, it can be made again.
                Unpublish(file);
                return null;
            }

            _places.Remove(file.Digest);
            segments.Die(file.Digest, place);
            if (file.Files.HasFlag(BlobFileKinds.Executable) && IsWhole(file.Digest)) return file;
            Unpublish(file);
            return null;
        }

        _places.Remove(file.Digest);
        if (file.Digest.SizeBytes <= packedBytesMax || !file.Files.HasFlag(BlobFileKinds.Executable))
        {
            if (file.Digest.SizeBytes > packedBytesMax) segments.WantFile(segment, new SegmentRecord(file.Digest, place.Offset));
            return file with { Place = place };
        }

        segment.Move(new SegmentRecord(file.Digest, place.Offset));
        return file with { IsUnsure = isLossKnown };
    }

    /// <summary>With a frame no record is wanted: a run with other sizes wrote it.</summary>
    private StoredBlob JudgeBeside(in StoredBlob file)
    {
        _places.Remove(file.Digest, out var place);
        segments.Die(file.Digest, place);
        return file with { IsUnsure = isLossNew || isLossKnown };
    }

    private void Unpublish(in StoredBlob file)
    {
        if (file.Files.HasFlag(BlobFileKinds.Executable)) files.Unpublish(file.Digest);
        if (file.Files.HasFlag(BlobFileKinds.Data)) files.Unpublish(file.Digest, isVariant: true);
    }

    private bool IsReadable(in Digest digest, BlobPlace place) =>
        segments.Read(digest, place, new byte[digest.SizeBytes]) == SegmentRead.Whole;

    private bool IsWhole(in Digest digest)
    {
        using var file = files.TryOpen(digest);
        return file is not null && FileContent.Is(file, digest, disk);
    }
}
