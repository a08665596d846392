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

    // Name, attributes and fixed part of an entry in the list of all.
    private const int ListBytesPerEntry = 512;

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
        byte[] tail = new byte[Math.Min(stream.Length, TailBytesMax)];
        stream.Position = stream.Length - tail.Length;
        await stream.ReadExactlyAsync(tail, cancellationToken);
        stream.Position = 0;
        for (int at = tail.Length - EndBytes; at >= 0; at--)
        {
            var end = tail.AsSpan(at);
            if (BinaryPrimitives.ReadUInt32LittleEndian(end) != EndSignature) continue;

            long list = BinaryPrimitives.ReadUInt32LittleEndian(end[16..]);
            if (list == uint.MaxValue) throw UnpackedTree.Bad("it is a zip64");
            if (stream.Length - list > Math.Min((long)entriesMax * ListBytesPerEntry, 32L << 20)) throw TooMany();
            return;
        }

        throw UnpackedTree.Bad("a zip without an end");
    }

    private RpcException TooMany() => RpcErrors.Of(StatusCode.ResourceExhausted, $"has more than {entriesMax} entries");
}
