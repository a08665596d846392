using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// The bytes of a segment: many small blobs in one file, each whole or not there after a crash.
/// <code>
/// segment:  header | record* | footer, once it is full: so that a restart need not read the records
/// header    "rexecseg" (8) | version (4) | number (4) | mark (8) | CRC-32C of all this (4) | zeros (4)
/// record    mark (8) | CRC-32C of all that follows (4) | data bytes (4) | function (1) | zeros (3) | hash | data
/// footer    mark, each bit turned (8) | CRC-32C of all that follows (4) | entry bytes (4) | zeros (4) | entry*
/// entry     offset (4) | data bytes (4) | function (1) | hash
/// end       mark, each bit turned (8) | offset of the footer (4) | CRC-32C of these twelve (4)       all little-endian
/// </code>
/// The mark is random, and a secret of the store: whoever uploads a blob chooses its bytes, and could otherwise write into it a record of another
/// blob, or a footer, for a restart to find (TRUST A3). Nothing that leaves the store has it.
/// </summary>
internal static class SegmentFormat
{
    public const int HeaderBytes = 32;
    public const int TrailerBytes = 16;

    /// <summary>More than any record has: how much a restart keeps in memory of a segment that has no footer.</summary>
    public const int RecordBytesMax = 4 << 20;

    /// <summary>What each record and a footer begin with.</summary>
    public const int PrefixBytes = 20;

    private const int EntryPrefixBytes = 9;
    private const uint Version = 1;

    private static ReadOnlySpan<byte> HeaderMark => "rexecseg"u8;

    public static int HeadBytes(DigestFunction function) => PrefixBytes + function.HashBytes();

    public static int RecordBytes(in Digest digest) => checked(HeadBytes(digest.Function) + (int)digest.SizeBytes);

    public static byte[] Header(int number, ulong mark)
    {
        var header = new byte[HeaderBytes];
        HeaderMark.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(8), Version);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(12), number);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(16), mark);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(24), Crc32C.Of(header.AsSpan(0, 24)));
        return header;
    }

    /// <summary>The mark of the store that a segment is of; false when its header is not what was written.</summary>
    public static bool TryReadHeader(ReadOnlySpan<byte> header, out ulong mark)
    {
        mark = 0;
        if (header.Length < HeaderBytes || !header.StartsWith(HeaderMark)) return false;
        if (BinaryPrimitives.ReadUInt32LittleEndian(header[24..]) != Crc32C.Of(header[..24])) return false;
        mark = BinaryPrimitives.ReadUInt64LittleEndian(header[16..]);
        return true;
    }

    /// <summary>Completes a record whose data is in its place behind the head.</summary>
    public static void Seal(Span<byte> record, in Digest digest, ulong mark)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(record, mark);
        BinaryPrimitives.WriteInt32LittleEndian(record[12..], (int)digest.SizeBytes);
        record[16] = (byte)digest.Function;
        record[17..PrefixBytes].Clear();
        digest.CopyHashTo(record[PrefixBytes..]);
        BinaryPrimitives.WriteUInt32LittleEndian(record[8..], Crc32C.Of(record[12..RecordBytes(digest)]));
    }

    /// <summary>Whether these bytes are the whole record of this blob, as it was written.</summary>
    public static bool IsRecordOf(ReadOnlySpan<byte> record, in Digest digest, ulong mark) =>
        TryReadHead(record, mark, out var found) && found == digest && IsWhole(record, digest);

    /// <summary>Reads the head of a record; its data may not have come yet, and its checksum was not looked at.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryReadHead(ReadOnlySpan<byte> bytes, ulong mark, out Digest digest)
    {
        digest = default;
        if (bytes.Length < PrefixBytes || BinaryPrimitives.ReadUInt64LittleEndian(bytes) != mark) return false;

        int sizeBytes = BinaryPrimitives.ReadInt32LittleEndian(bytes[12..]);
        if (sizeBytes is <= 0 or > RecordBytesMax || !DigestFunctions.TryFromNumber(bytes[16], out var function)) return false;
        if (bytes.Length < HeadBytes(function) || HeadBytes(function) + sizeBytes > RecordBytesMax) return false;

        digest = Digest.FromHash(function, bytes[PrefixBytes..HeadBytes(function)], sizeBytes);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsWhole(ReadOnlySpan<byte> record, in Digest digest) =>
        record.Length >= RecordBytes(digest)
        && BinaryPrimitives.ReadUInt32LittleEndian(record[8..]) == Crc32C.Of(record[12..RecordBytes(digest)]);

    /// <summary>What ends a full segment, footer and end together.</summary>
    public static byte[] Footer(IReadOnlyCollection<SegmentRecord> records, int offset, ulong mark)
    {
        int entryBytes = records.Sum(record => EntryPrefixBytes + record.Digest.HashBytes);
        var footer = new byte[PrefixBytes + entryBytes + TrailerBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(footer, ~mark);
        BinaryPrimitives.WriteInt32LittleEndian(footer.AsSpan(12), entryBytes);
        var rest = footer.AsSpan(PrefixBytes);
        foreach (var record in records)
        {
            BinaryPrimitives.WriteInt32LittleEndian(rest, record.Offset);
            BinaryPrimitives.WriteInt32LittleEndian(rest[4..], (int)record.Digest.SizeBytes);
            rest[8] = (byte)record.Digest.Function;
            record.Digest.CopyHashTo(rest[EntryPrefixBytes..]);
            rest = rest[(EntryPrefixBytes + record.Digest.HashBytes)..];
        }

        BinaryPrimitives.WriteUInt32LittleEndian(footer.AsSpan(8), Crc32C.Of(footer.AsSpan(12, PrefixBytes - 12 + entryBytes)));
        BinaryPrimitives.WriteUInt64LittleEndian(rest, ~mark);
        BinaryPrimitives.WriteInt32LittleEndian(rest[8..], offset);
        BinaryPrimitives.WriteUInt32LittleEndian(rest[12..], Crc32C.Of(rest[..12]));
        return footer;
    }

    /// <summary>What tells a footer, and so all that is in a segment, from others.</summary>
    public static uint ChecksumOf(ReadOnlySpan<byte> footer) => BinaryPrimitives.ReadUInt32LittleEndian(footer[8..]);

    /// <summary>Where the footer begins, by the last bytes of a segment; false when it has none.</summary>
    public static bool TryReadTrailer(ReadOnlySpan<byte> trailer, ulong mark, out int footerOffset)
    {
        footerOffset = 0;
        if (trailer.Length != TrailerBytes || BinaryPrimitives.ReadUInt64LittleEndian(trailer) != ~mark) return false;

        footerOffset = BinaryPrimitives.ReadInt32LittleEndian(trailer[8..]);
        return footerOffset >= HeaderBytes && BinaryPrimitives.ReadUInt32LittleEndian(trailer[12..]) == Crc32C.Of(trailer[..12]);
    }

    /// <summary>The records that a footer lists, all of them before it; null when it is not what was written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // a restart calls it a few times, for long
    public static List<SegmentRecord>? TryReadFooter(ReadOnlySpan<byte> footer, int footerOffset, ulong mark)
    {
        if (footer.Length < PrefixBytes || BinaryPrimitives.ReadUInt64LittleEndian(footer) != ~mark) return null;
        if (BinaryPrimitives.ReadInt32LittleEndian(footer[12..]) != footer.Length - PrefixBytes) return null;
        if (BinaryPrimitives.ReadUInt32LittleEndian(footer[8..]) != Crc32C.Of(footer[12..])) return null;

        int count = CountEntries(footer[PrefixBytes..], footerOffset);
        if (count < 0) return null;

        var records = new List<SegmentRecord>(count);
        CollectionsMarshal.SetCount(records, count);
        var entries = footer[PrefixBytes..];
        foreach (ref var record in CollectionsMarshal.AsSpan(records))
        {
            var function = (DigestFunction)entries[8];
            int entryBytes = EntryPrefixBytes + function.HashBytes();
            int sizeBytes = BinaryPrimitives.ReadInt32LittleEndian(entries[4..]);
            record = new SegmentRecord(
                Digest.FromHash(function, entries[EntryPrefixBytes..entryBytes], sizeBytes), BinaryPrimitives.ReadInt32LittleEndian(entries));
            entries = entries[entryBytes..];
        }

        return records;
    }

    /// <summary>So many entries these are, each of a record that may be there; negative when one is not.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int CountEntries(ReadOnlySpan<byte> entries, int footerOffset)
    {
        int count = 0;
        for (; entries.Length > 0; count++)
        {
            if (entries.Length < EntryPrefixBytes || !DigestFunctions.TryFromNumber(entries[8], out var function)) return -1;
            int entryBytes = EntryPrefixBytes + function.HashBytes();
            if (entries.Length < entryBytes) return -1;

            int offset = BinaryPrimitives.ReadInt32LittleEndian(entries);
            int sizeBytes = BinaryPrimitives.ReadInt32LittleEndian(entries[4..]);
            if (offset < HeaderBytes || sizeBytes <= 0 || (long)offset + HeadBytes(function) + sizeBytes > footerOffset) return -1;
            entries = entries[entryBytes..];
        }

        return count;
    }
}
