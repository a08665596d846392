namespace RemoteExec.Conformance;

/// <summary>ByteStream.Write and QueryWriteStatus, plain (REAPI 1.6).</summary>
internal static class WriteChecks
{
    private const int Size = 200_000;

    public static IEnumerable<Check> All =>
    [
        new("BW1", "a stream without a name is refused", "INVALID_ARGUMENT", peer => WriteAsync(peer, (_, data) => [Peer.Piece("", data, finish: true)])),
        new("BW1", "later messages may repeat the name", $"{Size}", peer => WriteAsync(peer, (name, data) =>
            [Peer.Piece(name, data[..100]), Peer.Piece(name, data[100..], offset: 100, finish: true)])),
        new("BW1", "another name in a later message is refused", "INVALID_ARGUMENT", peer => WriteAsync(peer, (name, data) =>
            [Peer.Piece(name, data[..100]), Peer.Piece(name + "/x", data[100..], offset: 100, finish: true)])),
        new("BW2", "a first offset above what is committed is refused", "INVALID_ARGUMENT", peer => WriteAsync(peer, (name, data) => [Peer.Piece(name, data[10..], offset: 10, finish: true)])),
        new("BW2", "a gap between messages is refused", "INVALID_ARGUMENT", peer => WriteAsync(peer, (name, data) =>
            [Peer.Piece(name, data[..100]), Peer.Piece("", data[101..], offset: 101, finish: true)])),
        new("BW2", "an upload that broke off is resumed where QueryWriteStatus says", $"{Size}", async peer =>
        {
            var blob = Blob.Of(Peer.Random(Size));
            string name = peer.UploadName(blob.Digest);
            await peer.WriteAsync(Peer.Piece(name, blob.Content[..70_000]));
            long committed = (await peer.WriteStatusAsync(name)).CommittedSize;
            return $"{await peer.WriteAsync(Peer.Piece(name, blob.Content[(int)committed..], offset: committed, finish: true))}";
        }),
        new("BW4", "a message after finish_write is refused, and nothing is stored", "INVALID_ARGUMENT, missing", async peer =>
        {
            var blob = Blob.Of(Peer.Random(Size));
            string seen = await SeenAsync(async () => $"{await peer.WriteAsync([.. Peer.Pieces(peer.UploadName(blob.Digest), blob.Content), Peer.Piece("", [1], offset: Size)])}");
            return $"{seen}, {(await peer.HasAsync(blob.Digest) ? "present" : "missing")}";
        }),
        new("BW4", "a stream that ends without finish_write is answered with what is committed", "70000", peer => WriteAsync(peer, (name, data) => [Peer.Piece(name, data[..70_000])])),
        new("BW5", "a blob that is there is answered early, with its size", $"{Size}", async peer =>
        {
            var blob = await peer.StoreAsync(Peer.Random(Size));
            using var call = peer.Bytes.Write();
            // One byte of it, and no end: the answer does not wait for the rest.
            await call.RequestStream.WriteAsync(Peer.Piece(peer.UploadName(blob.Digest), blob.Content[..1]), peer.Deadline);
            return $"{(await call.ResponseAsync.WaitAsync(peer.Deadline)).CommittedSize}";
        }),
        new("BW5", "of two uploads of one blob at the same time both succeed", $"{Size} and {Size}", async peer =>
        {
            var blob = Blob.Of(Peer.Random(Size));
            long[] committed = await Task.WhenAll(peer.UploadAsync(blob), peer.UploadAsync(blob));
            return $"{committed[0]} and {committed[1]}";
        }),
        new("BW6", "a finished upload is answered with its whole size", $"{Size}", peer => WriteAsync(peer, (name, data) => Peer.Pieces(name, data, 64 << 10))),
        new("BW6", "the empty blob is uploaded like any other", "0", async peer => $"{await peer.UploadAsync(Blob.Of([]))}"),
        new("BW7", "other bytes of the right size are refused", "INVALID_ARGUMENT", peer => WriteAsync(peer, (name, _) => [Peer.Piece(name, Peer.Random(Size), finish: true)])),
        new("BW7", "too few bytes are refused", "INVALID_ARGUMENT", peer => WriteAsync(peer, (name, data) => [Peer.Piece(name, data[1..], finish: true)])),
        new("BW7", "too many bytes are refused", "INVALID_ARGUMENT", peer => WriteAsync(peer, (name, data) => [Peer.Piece(name, [.. data, 0], finish: true)])),
        new("BW7", "too many bytes are refused as soon as they are known", "INVALID_ARGUMENT", async peer =>
        {
            var blob = Blob.Of(Peer.Random(1000));
            using var call = peer.Bytes.Write();
            await call.RequestStream.WriteAsync(Peer.Piece(peer.UploadName(blob.Digest), Peer.Random(2000)), peer.Deadline);
            return $"{(await call.ResponseAsync.WaitAsync(peer.Deadline)).CommittedSize}";
        }),
        new("BW7", "of what was refused nothing is stored", "missing", async peer =>
        {
            var blob = Blob.Of(Peer.Random(Size));
            await SeenAsync(async () => $"{await peer.WriteAsync(Peer.Piece(peer.UploadName(blob.Digest), Peer.Random(Size), finish: true))}");
            return await peer.HasAsync(blob.Digest) ? "present" : "missing";
        }),
        new("BW8", "a blob larger than announced is refused at its first message", "INVALID_ARGUMENT", async peer =>
        {
            long most = (await peer.CacheAsync()).MaxCasBlobSizeBytes;
            if (most is 0 or long.MaxValue) throw new NotOfferedException("max_cas_blob_size_bytes is not announced");
            using var call = peer.Bytes.Write();
            await call.RequestStream.WriteAsync(Peer.Piece(peer.UploadName(Peer.Absent(most + 1)), [1]), peer.Deadline);
            return $"{(await call.ResponseAsync.WaitAsync(peer.Deadline)).CommittedSize}";
        }),
        new("BW9", "QueryWriteStatus of an upload that nobody began is NOT_FOUND", "NOT_FOUND", async peer =>
            $"{(await peer.WriteStatusAsync(peer.UploadName(Peer.Absent()))).CommittedSize}"),
        new("BW9", "QueryWriteStatus of an upload under way tells what is committed", "70000, not complete", async peer =>
        {
            var blob = Blob.Of(Peer.Random(Size));
            string name = peer.UploadName(blob.Digest);
            await peer.WriteAsync(Peer.Piece(name, blob.Content[..70_000]));
            return Status(await peer.WriteStatusAsync(name));
        }),
        new("BW9", "QueryWriteStatus of a blob that is there is complete", $"{Size}, complete", async peer =>
            Status(await peer.WriteStatusAsync(peer.UploadName((await peer.StoreAsync(Peer.Random(Size))).Digest)))),
    ];

    public static string Status(Google.Bytestream.QueryWriteStatusResponse status) => $"{status.CommittedSize}, {(status.Complete ? "complete" : "not complete")}";

    /// <summary>For a check that goes on behind a call that may fail.</summary>
    public static async Task<string> SeenAsync(Func<Task<string>> look)
    {
        try
        {
            return await look();
        }
        catch (Grpc.Core.RpcException failure)
        {
            return StatusNames.Of(failure.StatusCode);
        }
    }

    private static async Task<string> WriteAsync(Peer peer, Func<string, byte[], IEnumerable<Google.Bytestream.WriteRequest>> messages)
    {
        var blob = Blob.Of(Peer.Random(Size));
        return $"{await peer.WriteAsync(messages(peer.UploadName(blob.Digest), blob.Content))}";
    }
}
