using System.IO.Compression;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;
using ZstdNet;

namespace RemoteExec.Assets;

/// <summary>Makes a tree of an archive: tar, by itself or in gzip or zstd, and zip. What it is, its first bytes say.</summary>
internal sealed class ArchiveUnpacker(ILocalBlobStore store, Spool spool, long bytesMax, int entriesMax, int textMax)
{
    private const int MagicBytes = 512;
    private const int TarMagicAt = 257;

    // What is asked of a decoder in any case (RFC 8878, 3.1.1.1.2), and what `zstd --long` makes: archives of large trees.
    private const int ZstdWindowLogMax = 27;

    /// <returns>The root Directory.</returns>
    /// <exception cref="RpcException">With the code for the answer's status.</exception>
    public async ValueTask<Digest> UnpackAsync(SpooledFile file, DigestFunction function, string subdirectory, CancellationToken cancellationToken)
    {
        if (file.LengthBytes == 0) throw UnpackedTree.Bad("it is empty");

        var blobs = new UnpackedBlobs(store, spool, function);
        var limits = new TreeLimits();
        var tree = new UnpackedTree(entriesMax, textMax, limits);
        try
        {
            await using var stream = file.OpenRead();
            await ReadAsync(stream, tree, blobs, cancellationToken);
            var root = await new DirectoryWriter(blobs, function, limits).WriteAsync(tree.Find(subdirectory), cancellationToken);
            await blobs.FlushAsync(cancellationToken);
            return root;
        }
        catch (Exception broken) when (broken is InvalidDataException or EndOfStreamException or FormatException or ZstdException or ArgumentException or NotSupportedException or OverflowException
            or InvalidOperationException)
        {
            // What the readers of formats throw at bytes that are none of theirs: that of tar the last, at an extended header of exabytes.
            throw UnpackedTree.Bad(broken.Message);
        }
    }

    private async ValueTask ReadAsync(FileStream stream, UnpackedTree tree, UnpackedBlobs blobs, CancellationToken cancellationToken)
    {
        byte[] magic = new byte[MagicBytes];
        int read = await stream.ReadAtLeastAsync(magic, MagicBytes, throwOnEndOfStream: false, cancellationToken);
        stream.Position = 0;
        switch (magic.AsSpan(0, read))
        {
            case [(byte)'P', (byte)'K', 3 or 5, 4 or 6, ..]:
                await new ZipReader(tree, blobs, bytesMax, entriesMax).ReadAsync(stream, cancellationToken);
                break;
            case [0x1f, 0x8b, ..]:
                await using (var gzip = new GZipStream(stream, CompressionMode.Decompress))
                    await ReadTarAsync(gzip, tree, blobs, cancellationToken);
                break;
            case [0x28, 0xb5, 0x2f, 0xfd, ..]:
                using (var options = new DecompressionOptions(null, new Dictionary<ZSTD_dParameter, int> { [ZSTD_dParameter.ZSTD_d_windowLogMax] = ZstdWindowLogMax }))
                await using (var zstd = new DecompressionStream(stream, options))
                    await ReadTarAsync(zstd, tree, blobs, cancellationToken);
                break;
            case var first when first.Length > TarMagicAt + 5 && first.Slice(TarMagicAt, 5).SequenceEqual("ustar"u8):
                await ReadTarAsync(stream, tree, blobs, cancellationToken);
                break;
            default:
                throw UnpackedTree.Bad("it is none of tar, tar.gz, tar.zst and zip");
        }
    }

    private ValueTask ReadTarAsync(Stream stream, UnpackedTree tree, UnpackedBlobs blobs, CancellationToken cancellationToken) =>
        new TarStream(tree, blobs).ReadAsync(new BoundedStream(stream, bytesMax), cancellationToken);
}
