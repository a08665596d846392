using static RemoteExec.Conformance.WriteChecks;

namespace RemoteExec.Conformance;

/// <summary>Compressed uploads (REAPI BW3, BW5, BW6, BW7, BW10).</summary>
internal static class CompressedWriteChecks
{
    private const int Size = 200_000;

    public static IEnumerable<Check> All =>
    [
        new("BW3", "offsets of a compressed upload count the bytes that were sent", "stored", async peer =>
        {
            await peer.RequireZstdAsync();
            var blob = Blob.Of(Peer.Random(Size));
            byte[] frame = Zstd.Stored(blob.Content);
            string name = peer.CompressedUploadName(blob.Digest);
            await peer.WriteAsync(Peer.Piece(name, frame[..50_000]), Peer.Piece("", frame[50_000..], offset: 50_000, finish: true));
            return await peer.HasAsync(blob.Digest) ? "stored" : "not stored";
        }),
        new("BW3", "a compressed upload that broke off begins again at what QueryWriteStatus says", "stored", async peer =>
        {
            await peer.RequireZstdAsync();
            var blob = Blob.Of(Peer.Random(Size));
            byte[] frame = Zstd.Stored(blob.Content);
            string name = peer.CompressedUploadName(blob.Digest);
            await peer.WriteAsync(Peer.Piece(name, frame[..50_000]));
            long committed = await CommittedAsync(peer, name);
            if (committed != 0) return $"{committed} committed: this suite begins at 0 only";
            await peer.WriteAsync(Peer.Piece(name, frame, finish: true));
            return await peer.HasAsync(blob.Digest) ? "stored" : "not stored";
        }),
        new("BW5", "a blob that is there is answered early under a compressed name, with −1", "-1", async peer =>
        {
            await peer.RequireZstdAsync();
            var blob = await peer.StoreAsync(Peer.Text(Size));
            using var call = peer.Bytes.Write();
            await call.RequestStream.WriteAsync(Peer.Piece(peer.CompressedUploadName(blob.Digest), Zstd.Compress(blob.Content)[..8]), peer.Deadline);
            return $"{(await call.ResponseAsync.WaitAsync(peer.Deadline)).CommittedSize}";
        }),
        new("BW6", "a finished compressed upload is answered with the compressed bytes", "as many as were sent", async peer =>
        {
            await peer.RequireZstdAsync();
            var blob = Blob.Of(Peer.Text(Size));
            byte[] frame = Zstd.Compress(blob.Content);
            long committed = await peer.WriteAsync(Peer.Piece(peer.CompressedUploadName(blob.Digest), frame, finish: true));
            return committed == frame.Length ? "as many as were sent" : $"{committed} of {frame.Length}";
        }),
        new("BW7", "compressed bytes of another content are refused, and nothing is stored", "INVALID_ARGUMENT, missing", peer =>
            RefusedAsync(peer, blob => Zstd.Compress(Peer.Text(blob.Size)))),
        new("BW7", "a frame that ends early is refused, and nothing is stored", "INVALID_ARGUMENT, missing", peer => RefusedAsync(peer, blob => Zstd.Compress(blob.Content)[..^5])),
        new("BW7", "bytes behind the last frame are refused, and nothing is stored", "INVALID_ARGUMENT, missing", peer =>
            RefusedAsync(peer, blob => [.. Zstd.Compress(blob.Content), 1, 2, 3])),
        new("BW7", "what is no frame is refused, and nothing is stored", "INVALID_ARGUMENT, missing", peer => RefusedAsync(peer, blob => blob.Content)),
        new("BW7", "several frames are one content", "stored", async peer =>
        {
            await peer.RequireZstdAsync();
            var blob = Blob.Of(Peer.Text(Size));
            byte[] frames = [.. Zstd.Compress(blob.Content[..1000]), .. Zstd.Compress(blob.Content[1000..])];
            await peer.WriteAsync(Peer.Piece(peer.CompressedUploadName(blob.Digest), frames, finish: true));
            return await peer.HasAsync(blob.Digest) ? "stored" : "not stored";
        }),
        new("BW9", "an unfinished compressed upload reports 0: it begins again", "0, not complete", async peer =>
        {
            await peer.RequireZstdAsync();
            var blob = Blob.Of(Peer.Random(Size));
            string name = peer.CompressedUploadName(blob.Digest);
            await peer.WriteAsync(Peer.Piece(name, Zstd.Stored(blob.Content)[..50_000]));
            return Status(await peer.WriteStatusAsync(name));
        }),
        new("BW10", "a gigabyte in a few bytes is refused at the declared size", "INVALID_ARGUMENT, missing", peer => RefusedAsync(peer, _ => ZstdBombs.Gigabyte)),
    ];

    private static async Task<long> CommittedAsync(Peer peer, string name)
    {
        try
        {
            return (await peer.WriteStatusAsync(name)).CommittedSize;
        }
        catch (Grpc.Core.RpcException unknown) when (unknown.StatusCode == Grpc.Core.StatusCode.NotFound)
        {
            return 0; // it was dropped
        }
    }

    private static async Task<string> RefusedAsync(Peer peer, Func<Blob, byte[]> sent)
    {
        await peer.RequireZstdAsync();
        var blob = Blob.Of(Peer.Text(Size));
        string seen = await SeenAsync(async () => $"{await peer.WriteAsync(Peer.Piece(peer.CompressedUploadName(blob.Digest), sent(blob), finish: true))}");
        return $"{seen}, {(await peer.HasAsync(blob.Digest) ? "present" : "missing")}";
    }
}
