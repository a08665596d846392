using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using Grpc.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Assets;

/// <summary>The entries of a zip.</summary>
internal sealed class ZipReader(UnpackedTree tree, UnpackedBlobs blobs, long bytesMax, int entriesMax)
{
    // APPNOTE 4.3.16: 22 bytes, and a comment of up to 64 KiB.
    private const int EndBytes = 22;
    private const int TailBytesMax = EndBytes + ushort.MaxValue;
    private const uint EndSignature = 0x06054b50;

    // 4.3.15: signature, disk, where the end of a zip64 is (8 bytes from the 8th), disks. It stands right before the end.
    private const int LocatorBytes = 20;
    private const uint LocatorSignature = 0x07064b50;

    // 4.3.14: 56 bytes, of which the last 8 say where the list is.
    private const int End64Bytes = 56;
    private const uint End64Signature = 0x06064b50;

    // Name, attributes and fixed part of an entry in the list of all.
    private const int ListBytesPerEntry = 512;
    private const long ListBytesMax = 32L << 20;

    private const int SymlinkBytesMax = 4095;

    // The upper half of the external attributes, when a unix made the archive: st_mode.
    private const int KindMask = 0xF000;
    private const int SymlinkKind = 0xA000;
    private const int ExecutableBit = 0x40;

    public async ValueTask ReadAsync(FileStream stream, CancellationToken cancellationToken)
    {
        await CheckListAsync(stream, cancellationToken);
        using var zip = new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
        if (zip.Entries.Count > entriesMax) throw TooMany();

        long left = bytesMax;
        foreach (var entry in zip.Entries)
        {
            left -= entry.Length;
            if (left < 0 || entry.Length < 0) throw RpcErrors.Of(StatusCode.ResourceExhausted, "unpacks to more bytes than are taken");

            int mode = entry.ExternalAttributes >> 16;
            if (entry.FullName.EndsWith('/')) tree.AddDirectory(entry.FullName);
            else if ((mode & KindMask) == SymlinkKind) tree.AddSymlink(entry.FullName, await ReadTargetAsync(entry, cancellationToken));
            else
            {
                await using var content = await entry.OpenAsync(cancellationToken);
                tree.AddFile(entry.FullName, await blobs.AddAsync(content, entry.Length, cancellationToken), (mode & ExecutableBit) != 0);
            }
        }
    }

    private static async ValueTask<string> ReadTargetAsync(ZipArchiveEntry entry, CancellationToken cancellationToken)
    {
        if (entry.Length > SymlinkBytesMax) throw UnpackedTree.Bad("the target of a link is too long");
        byte[] target = new byte[entry.Length];
        await using var content = await entry.OpenAsync(cancellationToken);
        await content.ReadExactlyAsync(target, cancellationToken);
        return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(target);
    }

    /// <summary>The library reads the whole list of entries into memory, as far as it goes and whatever its end says: so its size is looked at first.</summary>
    private async ValueTask CheckListAsync(FileStream stream, CancellationToken cancellationToken)
    {
        long list = await FindListAsync(stream, cancellationToken);
        stream.Position = 0;
        if (list < 0 || list > stream.Length) throw UnpackedTree.Bad("its list of entries is not in it");
        if (stream.Length - list > Math.Min((long)entriesMax * ListBytesPerEntry, ListBytesMax)) throw TooMany();
    }

    private static async ValueTask<long> FindListAsync(FileStream stream, CancellationToken cancellationToken)
    {
        byte[] tail = new byte[Math.Min(stream.Length, TailBytesMax)];
        await ReadAtAsync(stream, stream.Length - tail.Length, tail, cancellationToken);
        for (int at = tail.Length - EndBytes; at >= 0; at--)
        {
            if (BinaryPrimitives.ReadUInt32LittleEndian(tail.AsSpan(at)) != EndSignature) continue;

            // What the library takes for a sign of a zip64: a disk, a count or a place that does not fit.
            bool isZip64 = BinaryPrimitives.ReadUInt16LittleEndian(tail.AsSpan(at + 4)) == ushort.MaxValue
                || BinaryPrimitives.ReadUInt16LittleEndian(tail.AsSpan(at + 10)) == ushort.MaxValue
                || BinaryPrimitives.ReadUInt32LittleEndian(tail.AsSpan(at + 16)) == uint.MaxValue;
            return isZip64
                ? await FindList64Async(stream, stream.Length - tail.Length + at, cancellationToken)
                : BinaryPrimitives.ReadUInt32LittleEndian(tail.AsSpan(at + 16));
        }

        throw UnpackedTree.Bad("a zip without an end");
    }

    private static async ValueTask<long> FindList64Async(FileStream stream, long endAt, CancellationToken cancellationToken)
    {
        byte[] end = new byte[End64Bytes];
        if (endAt < LocatorBytes) throw UnpackedTree.Bad("a zip64 without an end");
        await ReadAtAsync(stream, endAt - LocatorBytes, end.AsMemory(0, LocatorBytes), cancellationToken);
        long end64At = BinaryPrimitives.ReadInt64LittleEndian(end.AsSpan(8));
        if (BinaryPrimitives.ReadUInt32LittleEndian(end) != LocatorSignature || end64At < 0 || end64At > endAt - LocatorBytes - End64Bytes)
            throw UnpackedTree.Bad("a zip64 without an end");

        await ReadAtAsync(stream, end64At, end, cancellationToken);
        return BinaryPrimitives.ReadUInt32LittleEndian(end) == End64Signature
            ? BinaryPrimitives.ReadInt64LittleEndian(end.AsSpan(48))
            : throw UnpackedTree.Bad("a zip64 without an end");
    }

    private static ValueTask ReadAtAsync(FileStream stream, long position, Memory<byte> bytes, CancellationToken cancellationToken)
    {
        stream.Position = position;
        return stream.ReadExactlyAsync(bytes, cancellationToken);
    }

    private RpcException TooMany() => RpcErrors.Of(StatusCode.ResourceExhausted, $"has more than {entriesMax} entries");
}
