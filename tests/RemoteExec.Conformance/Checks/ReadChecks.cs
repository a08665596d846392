namespace RemoteExec.Conformance;

/// <summary>ByteStream.Read (REAPI 1.5).</summary>
internal static class ReadChecks
{
    private const int Size = 300_000;

    public static IEnumerable<Check> All =>
    [
        new("BR1", "what nobody stored is NOT_FOUND", "NOT_FOUND", async peer =>
        {
            await peer.ReadAsync(Peer.Absent());
            return "OK";
        }),
        new("BR1", "an offset before the beginning is OUT_OF_RANGE", "OUT_OF_RANGE", peer => ReadAsync(peer, -1, 0)),
        new("BR1", "an offset behind the end is OUT_OF_RANGE", "OUT_OF_RANGE", peer => ReadAsync(peer, Size + 1, 0)),
        new("BR1", "an offset at the end is a success with nothing", $"{Size}+0", peer => ReadAsync(peer, Size, 0)),
        new("BR1", "an offset inside gives the rest", $"123456+{Size - 123_456}", peer => ReadAsync(peer, 123_456, 0)),
        new("BR2", "a limit of 0 is all of it", $"0+{Size}", peer => ReadAsync(peer, 0, 0)),
        new("BR2", "a limit is the most that comes", "0+1000", peer => ReadAsync(peer, 0, 1000)),
        new("BR2", "a limit holds behind an offset", "5+1000", peer => ReadAsync(peer, 5, 1000)),
        new("BR2", "a limit behind the end gives what there is", $"{Size - 10}+10", peer => ReadAsync(peer, Size - 10, 1000)),
        new("BR2", "a negative limit is refused", "INVALID_ARGUMENT or OUT_OF_RANGE", peer => ReadAsync(peer, 0, -1)),
        new("BR3", "the offset of a compressed read counts plain bytes", "the rest", async peer =>
        {
            await peer.RequireZstdAsync();
            var blob = await peer.StoreAsync(Peer.Text(Size));
            byte[] rest = Zstd.Decompress(await peer.ReadAsync(peer.CompressedReadName(blob.Digest), offset: 200_001));
            return rest.AsSpan().SequenceEqual(blob.Content.AsSpan(200_001)) ? "the rest" : $"{rest.Length} bytes";
        }),
        new("BR3", "a compressed read has no limit", "INVALID_ARGUMENT", async peer =>
        {
            await peer.RequireZstdAsync();
            var blob = await peer.StoreAsync(Peer.Text(Size));
            await peer.ReadAsync(peer.CompressedReadName(blob.Digest), limit: 1000);
            return "OK";
        }),
        new("BR4", "what came plain is read compressed", "the bytes", async peer =>
        {
            await peer.RequireZstdAsync();
            var blob = await peer.StoreAsync(Peer.Text(Size));
            return Same(blob, Zstd.Decompress(await peer.ReadAsync(peer.CompressedReadName(blob.Digest))));
        }),
        new("BR4", "what came compressed is read plain", "the bytes", async peer =>
        {
            await peer.RequireZstdAsync();
            var blob = Blob.Of(Peer.Text(Size));
            await peer.WriteAsync(Peer.Piece(peer.CompressedUploadName(blob.Digest), Zstd.Compress(blob.Content), finish: true));
            return Same(blob, await peer.ReadAsync(blob.Digest));
        }),
        new("BR4", "what cannot be compressed is read compressed all the same", "the bytes", async peer =>
        {
            await peer.RequireZstdAsync();
            var blob = await peer.StoreAsync(Peer.Random(Size));
            return Same(blob, Zstd.Decompress(await peer.ReadAsync(peer.CompressedReadName(blob.Digest))));
        }),
        new("BR4", "the empty blob is read compressed", "the bytes", async peer =>
        {
            await peer.RequireZstdAsync();
            byte[] read = await peer.ReadAsync(peer.CompressedReadName(Blob.Of([]).Digest));
            return read.Length == 0 ? "the bytes" : Same(Blob.Of([]), Zstd.Decompress(read));
        }),
        new("BR5", "a compressed read is one frame, which every decoder takes", "one frame", async peer =>
        {
            await peer.RequireZstdAsync();
            var blob = await peer.StoreAsync(Peer.Random(3 << 20));
            return $"{Frames.Count(await peer.ReadAsync(peer.CompressedReadName(blob.Digest)))} frames".Replace("1 frames", "one frame", StringComparison.Ordinal);
        }),
        new("BR7", "a log stream that nobody made is NOT_FOUND", "NOT_FOUND", async peer =>
        {
            await peer.ReadAsync($"logstreams/{Guid.NewGuid():N}");
            return "OK";
        }),
    ];

    private static async Task<string> ReadAsync(Peer peer, long offset, long limit)
    {
        var blob = await peer.StoreAsync(Peer.Random(Size));
        byte[] read = await peer.ReadAsync(peer.ReadName(blob.Digest), offset, limit);
        return read.AsSpan().SequenceEqual(blob.Content.AsSpan((int)offset, Math.Min(read.Length, Size - (int)offset))) ? $"{offset}+{read.Length}" : "other bytes";
    }

    private static string Same(Blob blob, byte[] read) => read.AsSpan().SequenceEqual(blob.Content) ? "the bytes" : $"{read.Length} other bytes";
}
