using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>What is in a segment that an earlier run wrote.</summary>
/// <param name="Records">In the order of their offsets.</param>
/// <param name="End">Behind the last of them.</param>
/// <param name="IsFull">It has its footer: nothing is appended any more.</param>
/// <param name="IsRotten">The disk did not give all of it back: what lies where it did not is not to be written over.</param>
internal sealed record SegmentScan(List<SegmentRecord> Records, int End, bool IsFull, bool IsRotten = false)
{
    /// <summary>0 where there is no footer.</summary>
    public uint FooterChecksum { get; private init; }

    private const int PageBytes = 4096;

    // Each read of a dying disk may take seconds.
    private const int SkippedBytesMax = 1 << 20;

    /// <summary>By the footer; without one by the records themselves, each with its checksum.</summary>
    public static SegmentScan Read(SafeFileHandle file, IDisk disk, ulong mark)
    {
        long length = RandomAccess.GetLength(file);
        return TryReadFooter(file, disk, length, mark) ?? ReadRecords(file, disk, Math.Min(length, int.MaxValue), mark);
    }

    /// <summary>Whether the segment has that footer still, which is not read; then where it begins.</summary>
    public static bool HasFooter(SafeFileHandle file, IDisk disk, ulong mark, uint checksum, out int offset)
    {
        offset = 0;
        long end = RandomAccess.GetLength(file) - SegmentFormat.TrailerBytes;
        Span<byte> trailer = stackalloc byte[SegmentFormat.TrailerBytes], prefix = stackalloc byte[SegmentFormat.PrefixBytes];
        return end >= SegmentFormat.HeaderBytes
            && TryFill(file, disk, trailer, end) && SegmentFormat.TryReadTrailer(trailer, mark, out offset) && offset <= end
            && TryFill(file, disk, prefix, offset) && SegmentFormat.ChecksumOf(prefix) == checksum;
    }

    private static SegmentScan? TryReadFooter(SafeFileHandle file, IDisk disk, long length, ulong mark)
    {
        if (length < SegmentFormat.HeaderBytes + SegmentFormat.TrailerBytes || length > int.MaxValue) return null;

        long end = length - SegmentFormat.TrailerBytes;
        Span<byte> trailer = stackalloc byte[SegmentFormat.TrailerBytes];
        if (!TryFill(file, disk, trailer, end) || !SegmentFormat.TryReadTrailer(trailer, mark, out int offset) || offset > end) return null;

        byte[] lent = ArrayPool<byte>.Shared.Rent((int)end - offset);
        try
        {
            var footer = lent.AsSpan(0, (int)end - offset);
            return TryFill(file, disk, footer, offset) && SegmentFormat.TryReadFooter(footer, offset, mark) is { } records
                ? new SegmentScan(records, offset, IsFull: true) { FooterChecksum = SegmentFormat.ChecksumOf(footer) }
                : null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(lent);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static SegmentScan ReadRecords(SafeFileHandle file, IDisk disk, long length, ulong mark)
    {
        var records = new List<SegmentRecord>();
        int end = SegmentFormat.HeaderBytes;
        byte[] buffer = new byte[(int)Math.Min(2 * SegmentFormat.RecordBytesMax, Math.Max(length, 1))];
        long bufferStart = SegmentFormat.HeaderBytes;
        int filled = 0;
        int skippedBytes = 0;
        bool isRotten = false, isOver = false;
        while (!isOver)
        {
            long position = bufferStart + filled;
            var room = buffer.AsSpan(filled, (int)Math.Clamp(length - position, 0, buffer.Length - filled));
            int read = ReadOver(file, disk, room, position, ref skippedBytes);
            isRotten |= skippedBytes > 0;
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

        return new SegmentScan(records, end, IsFull: false, isRotten);
    }

    /// <summary>
    /// Moves <paramref name="at"/> to the next whole record, over whatever is none: a torn write is at the end, but a sector that rots
    /// must not cost the records behind it. False when more has to be read.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
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

    /// <summary>
    /// Reads, and steps over what the disk does not give back, to the next page and each time twice as far: zeros are there instead, which are
    /// no record.
    /// </summary>
    private static int ReadOver(SafeFileHandle file, IDisk disk, Span<byte> bytes, long position, ref int skippedBytes)
    {
        if (TryRead(file, disk, bytes, position) is { } read)
        {
            skippedBytes = 0;
            return read;
        }

        int inPage = (int)(position % PageBytes);
        if (TryRead(file, disk, bytes[..Math.Min(bytes.Length, PageBytes - inPage)], position) is { } readOfPage) return readOfPage;

        skippedBytes = Math.Clamp(2 * skippedBytes, PageBytes, SkippedBytesMax);
        var skipped = bytes[..Math.Min(bytes.Length, skippedBytes - inPage)];
        skipped.Clear();
        return skipped.Length;
    }

    public static bool TryFill(SafeFileHandle file, IDisk disk, Span<byte> bytes, long offset)
    {
        while (bytes.Length > 0)
        {
            int read = TryRead(file, disk, bytes, offset) ?? 0;
            if (read == 0) return false;
            bytes = bytes[read..];
            offset += read;
        }

        return true;
    }

    /// <summary>Null where the disk does not give it back: what is there is lost, and whoever needs it makes it again.</summary>
    private static int? TryRead(SafeFileHandle file, IDisk disk, Span<byte> bytes, long offset)
    {
        try
        {
            return bytes.IsEmpty ? 0 : disk.Read(file, bytes, offset);
        }
        catch (IOException unreadable) when (Errno.IsUnreadable(unreadable.HResult))
        {
            return null;
        }
    }
}
