using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>What is in a segment that an earlier run wrote.</summary>
/// <param name="Records">In the order of their offsets.</param>
/// <param name="End">Behind the last of them.</param>
/// <param name="IsFull">It has its footer: nothing is appended any more.</param>
internal sealed record SegmentScan(List<SegmentRecord> Records, int End, bool IsFull)
{
    /// <summary>By the footer; without one by the records themselves, each with its checksum.</summary>
    public static SegmentScan Read(SafeFileHandle file, IDisk disk, ulong mark)
    {
        long length = RandomAccess.GetLength(file);
        return TryReadFooter(file, disk, length, mark) ?? ReadRecords(file, disk, length, mark);
    }

    private static SegmentScan? TryReadFooter(SafeFileHandle file, IDisk disk, long length, ulong mark)
    {
        if (length < SegmentFormat.HeaderBytes + SegmentFormat.TrailerBytes || length > int.MaxValue) return null;

        long end = length - SegmentFormat.TrailerBytes;
        Span<byte> trailer = stackalloc byte[SegmentFormat.TrailerBytes];
        if (!TryFill(file, disk, trailer, end) || !SegmentFormat.TryReadTrailer(trailer, mark, out int offset) || offset > end) return null;

        byte[] footer = new byte[end - offset];
        return TryFill(file, disk, footer, offset) && SegmentFormat.TryReadFooter(footer, mark) is { } records
            ? new SegmentScan(records, offset, IsFull: true)
            : null;
    }

    private static SegmentScan ReadRecords(SafeFileHandle file, IDisk disk, long length, ulong mark)
    {
        var records = new List<SegmentRecord>();
        int end = SegmentFormat.HeaderBytes;
        byte[] buffer = new byte[(int)Math.Min(2 * SegmentFormat.RecordBytesMax, Math.Max(length, 1))];
        long bufferStart = SegmentFormat.HeaderBytes;
        int filled = 0;
        bool isOver = false;
        while (!isOver)
        {
            int read = TryRead(file, disk, buffer.AsSpan(filled), bufferStart + filled);
            filled += read;
            isOver = read == 0;
            int used = 0;
            while (TryNext(buffer.AsSpan(0, filled), mark, ref used, isOver, out var digest))
            {
                records.Add(new SegmentRecord(digest, (int)bufferStart + used));
                used += SegmentFormat.RecordBytes(digest);
                end = (int)bufferStart + used;
            }

            buffer.AsSpan(used, filled - used).CopyTo(buffer);
            bufferStart += used;
            filled -= used;
        }

        return new SegmentScan(records, end, IsFull: false);
    }

    /// <summary>
    /// Moves <paramref name="at"/> to the next whole record, over whatever is none: a torn write is at the end, but a sector that rots
    /// must not cost the records behind it. False when more has to be read.
    /// </summary>
    private static bool TryNext(ReadOnlySpan<byte> bytes, ulong mark, ref int at, bool isOver, out Digest digest)
    {
        Span<byte> markBytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(markBytes, mark);
        while (true)
        {
            var rest = bytes[at..];
            if (SegmentFormat.TryReadHead(rest, mark, out digest))
            {
                if (SegmentFormat.IsWhole(rest, digest)) return true;
                if (rest.Length < SegmentFormat.RecordBytes(digest) && !isOver) return false;
            }
            else if (rest.Length < SegmentFormat.HeadBytes(DigestFunction.Sha512) && !isOver)
            {
                return false;
            }

            int next = rest.Length < 2 ? -1 : rest[1..].IndexOf(markBytes);
            if (next >= 0)
            {
                at += 1 + next;
                continue;
            }

            // The next mark may lie across the end of what was read.
            at = isOver ? bytes.Length : Math.Max(at, bytes.Length - markBytes.Length + 1);
            return false;
        }
    }

    private static bool TryFill(SafeFileHandle file, IDisk disk, Span<byte> bytes, long offset)
    {
        while (bytes.Length > 0)
        {
            int read = TryRead(file, disk, bytes, offset);
            if (read == 0) return false;
            bytes = bytes[read..];
            offset += read;
        }

        return true;
    }

    private static int TryRead(SafeFileHandle file, IDisk disk, Span<byte> bytes, long offset)
    {
        try
        {
            return bytes.IsEmpty ? 0 : disk.Read(file, bytes, offset);
        }
        catch (IOException unreadable) when (Errno.IsUnreadable(unreadable.HResult))
        {
            return 0; // what lies behind is lost, and whoever needs it makes it again
        }
    }
}
