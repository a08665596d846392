using RemoteExec.Core;
using RemoteExec.Files;
using RemoteExec.Storage;

namespace RemoteExec.Fuzz;

/// <summary>What a disk gives back: logs, segments, lists of chunks.</summary>
internal static class FileTargets
{
    private const ulong Mark = 0x1122334455667788;

    private static readonly FrameFormat Format = new() { Magic = "RXFUZZ01", BodyBytesMax = 1 << 16 };

    public static IEnumerable<FuzzTarget> All =>
    [
        FuzzTarget.Of("framed-log", [MakeLog()], bytes => InFile(bytes, path =>
        {
            using var log = FramedLog.TryOpen(path, Format, new Disk(), isAlone: false, out string? fault);
            if (log is null)
            {
                FuzzTarget.Require(!string.IsNullOrEmpty(fault), "a log is refused without a reason");
                return "";
            }

            int frames = 0;
            var reader = log.ReadAll();
            while (reader.TryNext(out _, out var frame)) frames += frame.Length > 0 ? 1 : 0;
            return frames == 0 ? "empty" : "frames";
        })),
        FuzzTarget.Of("segments", [MakeSegment(isFull: false), MakeSegment(isFull: true)], bytes => InFile(bytes, path =>
        {
            using var file = SegmentFiles.Open(path, FileAccess.Read);
            if (!SegmentFiles.HasHeader(file, new Disk(), out ulong mark)) return "";

            var scan = SegmentScan.Read(file, new Disk(), mark);
            FuzzTarget.Require(scan.Records.TrueForAll(record => record.Offset >= SegmentFormat.HeaderBytes && record.Offset + (long)SegmentFormat.RecordBytes(record.Digest) <= bytes.Length), "a record lies outside of its segment");
            return scan.IsFull ? "full" : "open";
        })),
        FuzzTarget.Of("chunk-lists", [MakeList()], bytes =>
        {
            if (bytes.Length < ChunkListFormat.Frames.HeadBytes || !ChunkListFormat.TryRead(bytes, out var blob, out var list)) return "";
            FuzzTarget.Require(list.Chunks.Sum(chunk => (decimal)chunk.SizeBytes) == blob.SizeBytes, "a blob is not the sum of its chunks");
            return "list";
        }),
    ];

    private static string InFile(byte[] bytes, Func<string, string> read)
    {
        string path = Path.Combine(Path.GetTempPath(), $"rexec-fuzz-{Guid.NewGuid():N}");
        try
        {
            File.WriteAllBytes(path, bytes);
            return read(path);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static byte[] MakeLog()
    {
        byte[] header = new byte[Format.HeaderBytes];
        Format.WriteHeader(header, Mark);
        using var log = new MemoryStream();
        log.Write(header);
        for (int i = 1; i < 6; i++)
        {
            byte[] frame = new byte[Format.HeadBytes + (i * 7)];
            frame.AsSpan(Format.HeadBytes).Fill((byte)i);
            Format.Seal(frame);
            Format.Mark(frame, Mark);
            log.Write(frame);
        }

        return log.ToArray();
    }

    private static byte[] MakeSegment(bool isFull)
    {
        using var segment = new MemoryStream();
        segment.Write(SegmentFormat.Header(1, Mark));
        var records = new List<SegmentRecord>();
        for (int i = 1; i < 5; i++)
        {
            byte[] data = [.. Enumerable.Repeat((byte)i, i * 11)];
            var digest = Digest.Of(DigestFunction.Sha256, data);
            byte[] record = [.. new byte[SegmentFormat.HeadBytes(digest.Function)], .. data];
            SegmentFormat.Seal(record, digest, Mark);
            records.Add(new SegmentRecord(digest, (int)segment.Length));
            segment.Write(record);
        }

        if (isFull) segment.Write(SegmentFormat.Footer(records, (int)segment.Length, Mark));
        return segment.ToArray();
    }

    private static byte[] MakeList()
    {
        Digest[] chunks = [Digest.FromHash(DigestFunction.Sha256, new byte[32], 100), Digest.FromHash(DigestFunction.Sha256, [.. new byte[31], 1], 200)];
        return ChunkListFormat.ToFrame(Digest.FromHash(DigestFunction.Sha256, new byte[32], 300), new ChunkList(ChunkingAlgorithm.FastCdc2020, chunks));
    }
}
