namespace RemoteExec.Conformance;

/// <summary>Names of reads and uploads (REAPI 1.4).</summary>
internal static class ResourceNameChecks
{
    public static IEnumerable<Check> All =>
    [
        new("N1", "a function whose name is needless is taken all the same", "the bytes", async peer =>
        {
            var blob = await peer.StoreAsync(Peer.Random(100));
            byte[] read = await peer.ReadAsync(peer.ReadName(blob.Digest).Replace("blobs/", "blobs/sha256/", StringComparison.Ordinal));
            return read.AsSpan().SequenceEqual(blob.Content) ? "the bytes" : "other bytes";
        }),
        new("N1", "BLAKE3 is named in the path", "the bytes", async peer =>
        {
            if (!(await peer.CacheAsync()).DigestFunctions.Contains(WireDigestFunction.Blake3)) throw new NotOfferedException("BLAKE3 is not announced");
            var blob = Blob.Of(Peer.Random(100), DigestFunction.Blake3);
            await peer.WriteAsync(Peer.Pieces(Named(peer.UploadName(blob.Digest)), blob.Content));
            return (await peer.ReadAsync(Named(peer.ReadName(blob.Digest)))).AsSpan().SequenceEqual(blob.Content) ? "the bytes" : "other bytes";

            static string Named(string name) => name.Replace("blobs/", "blobs/blake3/", StringComparison.Ordinal);
        }),
        new("N1", "BLAKE3 without its name is taken for SHA-256 and does not fit", "INVALID_ARGUMENT", async peer =>
        {
            var blob = Blob.Of(Peer.Random(100), DigestFunction.Blake3);
            await peer.UploadAsync(blob);
            return "OK";
        }) { IsOurChoice = true },
        new("N2", "a compressor that is none is refused in a read", "INVALID_ARGUMENT or UNIMPLEMENTED", async peer =>
        {
            var blob = await peer.StoreAsync(Peer.Random(100));
            await peer.ReadAsync(peer.CompressedReadName(blob.Digest).Replace("/zstd/", "/lz77/", StringComparison.Ordinal));
            return "OK";
        }),
        new("N2", "identity is no compressor in a name", "INVALID_ARGUMENT or UNIMPLEMENTED", async peer =>
        {
            var blob = await peer.StoreAsync(Peer.Random(100));
            await peer.ReadAsync(peer.CompressedReadName(blob.Digest).Replace("/zstd/", "/identity/", StringComparison.Ordinal));
            return "OK";
        }),
        new("N2", "a compressor that is none is refused in an upload", "INVALID_ARGUMENT or UNIMPLEMENTED", async peer =>
        {
            var blob = Blob.Of(Peer.Random(100));
            await peer.WriteAsync(Peer.Piece(peer.CompressedUploadName(blob.Digest).Replace("/zstd/", "/lz77/", StringComparison.Ordinal), blob.Content, finish: true));
            return "OK";
        }),
        new("N3", "what follows the size of an upload is the client's own", "stored", async peer =>
        {
            var blob = Blob.Of(Peer.Random(100));
            await peer.WriteAsync(Peer.Pieces(peer.UploadName(blob.Digest) + "/some/metadata/blobs/x", blob.Content));
            return await peer.HasAsync(blob.Digest) ? "stored" : "not stored";
        }),
        new("N3", "one UUID serves two blobs", "both stored", async peer =>
        {
            var (first, second) = (Blob.Of(Peer.Random(100)), Blob.Of(Peer.Random(200)));
            string name = peer.UploadName(first.Digest);
            await peer.WriteAsync(Peer.Pieces(name, first.Content));
            await peer.WriteAsync(Peer.Pieces(name.Replace(Peer.Path(first.Digest), Peer.Path(second.Digest), StringComparison.Ordinal), second.Content));
            return (await peer.MissingAsync(first.Digest, second.Digest)).Count == 0 ? "both stored" : "not both";
        }),
        new("N4", "the instance's name may have any depth", "the bytes or NOT_FOUND or PERMISSION_DENIED", async peer =>
        {
            var blob = Blob.Of(Peer.Random(100));
            string path = peer.UploadName(blob.Digest)[(peer.Instance.Length == 0 ? 0 : peer.Instance.Length + 1)..];
            await peer.WriteAsync(Peer.Pieces("one/two/three/" + path, blob.Content));
            return (await peer.ReadAsync($"one/two/three/blobs/{Peer.Path(blob.Digest)}")).AsSpan().SequenceEqual(blob.Content) ? "the bytes" : "other bytes";
        }),
        .. from name in (string[])["", "blobs", "nothing/here", "blobs/xyz/3", $"blobs/{new string('a', 64)}", $"blobs/{new string('a', 64)}/x", $"blobs/{new string('a', 64)}/-1"]
           select new Check("N4", $"the name '{name}' is refused", "INVALID_ARGUMENT", async peer =>
           {
               await peer.ReadAsync(name);
               return "OK";
           }),
    ];
}
