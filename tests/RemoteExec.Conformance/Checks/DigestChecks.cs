using RemoteExec.Core;
using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;

namespace RemoteExec.Conformance;

/// <summary>Names of blobs (REAPI 1.3): what is one, and what each function makes of the same bytes.</summary>
internal static class DigestChecks
{
    // Of the announced ones, those that this suite can compute.
    private static readonly WireDigestFunction[] Unnameable = [WireDigestFunction.Blake3, WireDigestFunction.Sha256Tree, WireDigestFunction.Gitsha1];

    // Of other makers than ours: FIPS 180-4, RFC 1321, the BLAKE3 paper's program, git hash-object. So a server and this suite cannot be wrong together.
    private static readonly (WireDigestFunction Function, string HashOfAbc)[] Known =
    [
        (WireDigestFunction.Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (WireDigestFunction.Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (WireDigestFunction.Md5, "900150983cd24fb0d6963f7d28e17f72"),
        (WireDigestFunction.Sha384, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"),
        (WireDigestFunction.Sha512, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"),
        (WireDigestFunction.Sha256Tree, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (WireDigestFunction.Blake3, "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"),
        (WireDigestFunction.Gitsha1, "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f"),
    ];

    // From the vectors that come with the protocol: bytes that count up to 250 and begin again.
    private static readonly (int Bytes, string Hash)[] KnownTrees =
    [
        (1025, "36c0998b21839ef74300b9de47d96d1f62323dc81f2b4231e98ce70cd6ffe750"),
        (2048, "b584996386f01793751c5cf0c39561f51b7e9924b818943b3cb2f6928cea0fa9"),
        (3073, "517d20c0e5835f060a1bd6388ed68574f63424bdac2a2c3a35a5c2ef859d8fe2"),
        (102400, "0668d69e5331840d2f1823d717b7b3f5d1fdc8a09504cddb692b87ff83d50e5f"),
    ];

    public static IEnumerable<Check> All =>
    [
        new("D1", "the right hash with another size is not stored", "INVALID_ARGUMENT", async peer =>
        {
            var blob = Blob.Of(Peer.Random(100));
            return await UpdateAsync(peer, new WireDigest { Hash = blob.Digest.Hash, SizeBytes = 99 }, blob.Content);
        }),
        new("D1", "the right hash with another size is not read", "NOT_FOUND", async peer =>
        {
            var blob = await peer.StoreAsync(Peer.Random(100));
            await peer.ReadAsync(new WireDigest { Hash = blob.Digest.Hash, SizeBytes = 101 });
            return "OK";
        }),
        new("D1", "the right hash with another size is missing", "missing", async peer =>
        {
            var blob = await peer.StoreAsync(Peer.Random(100));
            return await peer.HasAsync(new WireDigest { Hash = blob.Digest.Hash, SizeBytes = 101 }) ? "present" : "missing";
        }),
        new("D1", "the empty blob's hash with a size is refused (bazelbuild/bazel#15279)", "INVALID_ARGUMENT", async peer =>
        {
            await peer.MissingAsync(new WireDigest { Hash = Blob.Of([]).Digest.Hash, SizeBytes = 10 });
            return "OK";
        }),
        new("D1", "a hash in upper case is refused", "INVALID_ARGUMENT", async peer =>
        {
            await peer.MissingAsync(new WireDigest { Hash = Peer.Absent().Hash.ToUpperInvariant(), SizeBytes = 10 });
            return "OK";
        }),
        new("D2", "the empty blob is there though nobody sent it: FindMissingBlobs", "present", async peer =>
            await peer.HasAsync(Blob.Of([]).Digest) ? "present" : "missing"),
        new("D2", "the empty blob is there though nobody sent it: ByteStream", "0 bytes", async peer => $"{(await peer.ReadAsync(Blob.Of([]).Digest)).Length} bytes"),
        new("D2", "the empty blob is there though nobody sent it: BatchReadBlobs", "OK", async peer =>
            StatusNames.Of((await peer.BatchReadAsync(Blob.Of([]).Digest)).Responses.Single().Status?.Code ?? 0)),
        new("D2", "the empty directory is there though nobody sent it: GetTree", "one empty directory", async peer =>
        {
            var directories = await Trees.AllAsync(peer, Blob.Of([]).Digest);
            return directories is [{ Files.Count: 0, Directories.Count: 0, Symlinks.Count: 0 }] ? "one empty directory" : $"{directories.Count} directories";
        }),
        new("D2", "an empty input file needs no upload", "it is there", async peer =>
        {
            var ran = await peer.RunOfferedAsync(new ActionDraft("test -f empty && ! test -s empty && printf 'it is there'").With(draft =>
            {
                draft.Root.Files.Add(new FileNode { Name = "empty", Digest = Blob.Of([]).Digest });
                draft.Request.InlineStdout = true;
            }));
            return await peer.StdoutAsync(ran.Result);
        }),
        new("D3", "each announced function stores and serves: find, batch, stream", "all", async peer =>
        {
            foreach (var function in (await peer.CacheAsync()).DigestFunctions)
            {
                if (!DigestFunctions.TryFromNumber((int)function, out var known)) continue;
                string seen = await RoundTripAsync(peer, function, Blob.Of(Peer.Random(3000), known), known);
                if (seen != "OK") return $"{function}: {seen}";
            }

            return "all";
        }),
        .. from known in Known
           select new Check("D3", $"{known.Function} is what its specification says: 'abc'", "taken", async peer =>
           {
               if (!(await peer.CacheAsync()).DigestFunctions.Contains(known.Function)) throw new NotOfferedException($"{known.Function} is not announced");
               return await TakenAsync(peer, known.Function, known.HashOfAbc, "abc"u8.ToArray());
           }),
        new("D3", "a function that is not announced is refused", "INVALID_ARGUMENT", async peer =>
        {
            var announced = (await peer.CacheAsync()).DigestFunctions;
            var other = ((WireDigestFunction[])[WireDigestFunction.Vso, WireDigestFunction.Murmur3, (WireDigestFunction)99]).First(each => !announced.Contains(each));
            await peer.Cas.FindMissingBlobsAsync(new FindMissingBlobsRequest { InstanceName = peer.Instance, BlobDigests = { Peer.Absent() }, DigestFunction = other });
            return "OK";
        }),
        new("D4", "without a function the hash's length tells it", "all", async peer =>
        {
            foreach (var function in (await peer.CacheAsync()).DigestFunctions.Except(Unnameable))
            {
                if (!DigestFunctions.TryFromNumber((int)function, out var known)) continue;
                var blob = Blob.Of(Peer.Random(300), known);
                await peer.StoreAsync([blob]);
                if (!(await peer.ReadAsync(blob.Digest)).AsSpan().SequenceEqual(blob.Content)) return $"{function}: other bytes";
            }

            return "all";
        }),
        new("D4", "a hash of no function's length is refused", "INVALID_ARGUMENT", async peer =>
        {
            await peer.MissingAsync(new WireDigest { Hash = Peer.Absent().Hash[..50], SizeBytes = 10 });
            return "OK";
        }),
        new("D5", "two functions in one request are refused", "INVALID_ARGUMENT", async peer =>
        {
            await peer.MissingAsync(Peer.Absent(), Blob.Of(Peer.Random(10), DigestFunction.Sha1).Digest);
            return "OK";
        }),
        new("D5", "an action of one function with inputs of another is refused", "INVALID_ARGUMENT", async peer =>
        {
            await peer.RequireExecutionAsync();
            var draft = new ActionDraft("exit 0").With(each => each.Root.Files.Add(
                new FileNode { Name = "f", Digest = Blob.Of(Peer.Random(10), DigestFunction.Sha1).Digest }));
            return (await peer.RunAsync(draft)).StatusName;
        }),
        .. from known in KnownTrees
           select new Check("D6", $"SHA256TREE has the published value of {known.Bytes} bytes", "taken", async peer =>
           {
               if (!(await peer.CacheAsync()).DigestFunctions.Contains(WireDigestFunction.Sha256Tree)) throw new NotOfferedException("SHA256TREE is not announced");
               return await TakenAsync(peer, WireDigestFunction.Sha256Tree, known.Hash, [.. Enumerable.Range(0, known.Bytes).Select(i => (byte)(i % 251))]);
           }),
        new("D6", "SHA256TREE is the tree of the specification, below and above a block", "taken", async peer =>
        {
            if (!(await peer.CacheAsync()).DigestFunctions.Contains(WireDigestFunction.Sha256Tree)) throw new NotOfferedException("SHA256TREE is not announced");
            foreach (int size in (int[])[1, 1024, 1025, 2048, 5000])
            {
                string seen = await RoundTripAsync(peer, WireDigestFunction.Sha256Tree, Blob.Of(Peer.Random(size), DigestFunction.Sha256Tree), DigestFunction.Sha256Tree);
                if (seen != "OK") return $"{size} bytes: {seen}";
            }

            return "taken";
        }),
    ];

    private static async Task<string> UpdateAsync(Peer peer, WireDigest digest, byte[] data)
    {
        var answer = await peer.Cas.BatchUpdateBlobsAsync(new BatchUpdateBlobsRequest
        {
            InstanceName = peer.Instance,
            Requests = { new BatchUpdateBlobsRequest.Types.Request { Digest = digest, Data = ByteString.CopyFrom(data) } },
        });
        return StatusNames.Of(answer.Responses.Single().Status.Code);
    }

    private static async Task<string> TakenAsync(Peer peer, WireDigestFunction function, string hash, byte[] content)
    {
        var answer = await peer.Cas.BatchUpdateBlobsAsync(new BatchUpdateBlobsRequest
        {
            InstanceName = peer.Instance,
            DigestFunction = function,
            Requests = { new BatchUpdateBlobsRequest.Types.Request { Digest = new WireDigest { Hash = hash, SizeBytes = content.Length }, Data = ByteString.CopyFrom(content) } },
        });
        return answer.Responses.Single().Status is { Code: not 0 } refused ? StatusNames.Of(refused.Code) : "taken";
    }

    private static async Task<string> RoundTripAsync(Peer peer, WireDigestFunction function, Blob blob, DigestFunction known)
    {
        var find = new FindMissingBlobsRequest { InstanceName = peer.Instance, BlobDigests = { blob.Digest }, DigestFunction = function };
        if ((await peer.Cas.FindMissingBlobsAsync(find)).MissingBlobDigests.Count != 1) return "present before it was sent";
        var update = await peer.Cas.BatchUpdateBlobsAsync(new BatchUpdateBlobsRequest
        {
            InstanceName = peer.Instance,
            DigestFunction = function,
            Requests = { new BatchUpdateBlobsRequest.Types.Request { Digest = blob.Digest, Data = ByteString.CopyFrom(blob.Content) } },
        });
        if (update.Responses.Single().Status is { Code: not 0 } refused) return StatusNames.Of(refused.Code);
        if ((await peer.Cas.FindMissingBlobsAsync(find)).MissingBlobDigests.Count != 0) return "missing after it was sent";
        var batch = await peer.Cas.BatchReadBlobsAsync(new BatchReadBlobsRequest { InstanceName = peer.Instance, Digests = { blob.Digest }, DigestFunction = function });
        if (!batch.Responses.Single().Data.Span.SequenceEqual(blob.Content)) return "other bytes from BatchReadBlobs";

        string name = known.IsNamedInResources() ? peer.ReadName(blob.Digest).Replace("blobs/", $"blobs/{known.WireName()}/", StringComparison.Ordinal) : peer.ReadName(blob.Digest);
        return (await peer.ReadAsync(name)).AsSpan().SequenceEqual(blob.Content) ? "OK" : "other bytes from ByteStream";
    }
}
