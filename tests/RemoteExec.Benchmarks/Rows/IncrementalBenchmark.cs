using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using RemoteExec.Core;
using RemoteExec.EndToEnd;
using RemoteExec.Protocol;
using RemoteExec.Rpc;
using RemoteExec.Storage;
using Digest = RemoteExec.Core.Digest;
using DigestFunction = RemoteExec.Core.DigestFunction;

namespace RemoteExec.Benchmarks;

/// <summary>What a change in the midst of a large blob costs a client that uploads by chunks, the store, and a worker that has the version before.</summary>
internal sealed class IncrementalBenchmark : IBenchmark
{
    private const int BlobBytes = 200 << 20;
    private const int InsertedBytes = 1 << 10;
    private const int OverwrittenBytes = BlobBytes / 100;
    private const int ChunkBytes = 256 << 10; // the server's
    private const double SharedTarget = 0.01;

    public string Name => "incremental";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        await using var server = await bench.StartServerAsync();
        using var caller = new GrpcCaller(server.GrpcAddress);
        var rows = new List<Measurement>();
        foreach (var (name, chunker) in ((string, IChunker)[])[("FastCDC 2020", new FastCdc2020(ChunkBytes)), ("RepMaxCDC", new RepMaxCdc())])
        {
            // Of its own for each: what is here already is not spliced.
            byte[] blob = Random(rows.Count, BlobBytes);
            byte[] changed = [.. blob.AsSpan(0, BlobBytes / 3), .. Random(rows.Count + 1, InsertedBytes), .. blob.AsSpan(BlobBytes / 3)];
            await UploadAsync(caller, blob, chunker, cancellationToken);
            double storedBefore = await server.MetricAsync("remoteexec_cas_size_bytes");
            long sent = await UploadAsync(caller, changed, chunker, cancellationToken);
            double stored = await server.MetricAsync("remoteexec_cas_size_bytes") - storedBefore;
            if (await ReadAsync(caller, changed, cancellationToken) != Digest.Of(DigestFunction.Blake3, changed)) throw new InvalidDataException("another blob came back");

            rows.Add(Measurement.Absolute($"1 KiB inserted into 200 MiB, {name}: sent", sent / (double)BlobBytes * 100, "%", Target.AtMost(SharedTarget * 100)));
            rows.Add(Measurement.Absolute($"1 KiB inserted into 200 MiB, {name}: stored", stored / BlobBytes * 100, "%", Target.AtMost(SharedTarget * 100)));
            rows.Add(Measurement.Absolute($"1 KiB inserted into 200 MiB, {name}: fetched by a worker", await FetchAsync(bench, server, blob, changed, rows.Count, cancellationToken) / (double)BlobBytes * 100, "%", Target.AtMost(SharedTarget * 100)));

            byte[] overwritten = [.. changed];
            Random(rows.Count + 2, OverwrittenBytes).CopyTo(overwritten, BlobBytes / 2);
            sent = await UploadAsync(caller, overwritten, chunker, cancellationToken);
            rows.Add(Measurement.Absolute($"1 % of 200 MiB overwritten, {name}: sent", sent / (double)BlobBytes * 100, "%", Target.AtMost(1.5)));
        }

        await server.StopAsync();
        return rows;
    }

    /// <summary>As rexec-worker does it: by the chunks that it has not. Answers their bytes, for the second of two blobs.</summary>
    private static async Task<long> FetchAsync(Bench bench, ServerProcess server, byte[] blob, byte[] changed, int number, CancellationToken cancellationToken)
    {
        var time = TimeProvider.System;
        string folder = bench.NewFolder($"worker{number}");
        await using var disk = await DiskBlobStore.OpenAsync(
            new DiskBlobStoreOptions { Directory = Path.Combine(folder, "cas"), LimitBytes = 4L * BlobBytes, Retention = TimeSpan.Zero }, time, cancellationToken);
        using var lists = ChunkLists.Open(new ChunkListsOptions { Directory = Path.Combine(folder, "chunks"), Retention = TimeSpan.Zero }, time);
        using var parts = new ChunkedBlobStore(disk, lists);
        using var channel = RpcChannels.Create(new Uri($"http://{server.GrpcAddress}"));
        var unfinished = UnfinishedBlobs.Open(new UnfinishedBlobsOptions { Directory = Path.Combine(folder, "unfinished"), LimitBytes = BlobBytes });
        var inputs = new ChunkFetchingBlobStore(new RemoteBlobStore(channel, InstanceName.Empty, new RemoteBlobStoreOptions()), parts, unfinished, new ChunkFetchOptions());
        long before = 0;
        foreach (byte[] wanted in new[] { blob, changed })
        {
            before = inputs.FetchedBytes;
            await inputs.CopyAsync(Digest.Of(DigestFunction.Sha256, wanted), disk, cancellationToken);
        }

        return inputs.FetchedBytes - before;
    }

    private static byte[] Random(int seed, int bytes)
    {
        byte[] data = new byte[bytes];
        new Random(200 + seed).NextBytes(data);
        return data;
    }

    /// <summary>As Bazel does it: ask for the chunks, upload what is missing, splice. Answers the bytes that were sent, messages included.</summary>
    private static async Task<long> UploadAsync(GrpcCaller caller, byte[] blob, IChunker chunker, CancellationToken cancellationToken)
    {
        var chunks = new List<(Digest Digest, Range Place)>();
        for (int start = 0; start < blob.Length;)
        {
            int bytes = chunker.Next(blob.AsSpan(start), isLast: true);
            chunks.Add((Digest.Of(DigestFunction.Sha256, blob.AsSpan(start, bytes)), start..(start + bytes)));
            start += bytes;
        }

        var question = new FindMissingBlobsRequest { BlobDigests = { chunks.Select(chunk => chunk.Digest.ToWire()) } };
        var answer = await caller.UnaryAsync(Methods.FindMissingBlobs, question, FindMissingBlobsResponse.Parser, cancellationToken);
        var missing = answer.MissingBlobDigests.Select(wire => wire.Hash).ToHashSet();
        long sent = question.CalculateSize();
        foreach (var (digest, place) in chunks.Where(chunk => missing.Remove(chunk.Digest.Hash)))
        {
            var batch = new BatchUpdateBlobsRequest { Requests = { new BatchUpdateBlobsRequest.Types.Request { Digest = digest.ToWire(), Data = ByteString.CopyFrom(blob.AsSpan(place)) } } };
            await caller.UnaryAsync(Methods.BatchUpdateBlobs, batch, BatchUpdateBlobsResponse.Parser, cancellationToken);
            sent += batch.CalculateSize();
        }

        var splice = new SpliceBlobRequest
        {
            BlobDigest = Digest.Of(DigestFunction.Sha256, blob).ToWire(),
            ChunkDigests = { chunks.Select(chunk => chunk.Digest.ToWire()) },
        };
        await caller.UnaryAsync(Methods.SpliceBlob, splice, SpliceBlobResponse.Parser, cancellationToken);
        return sent + splice.CalculateSize();
    }

    /// <summary>The whole, read back by its name.</summary>
    private static async Task<Digest> ReadAsync(GrpcCaller caller, byte[] blob, CancellationToken cancellationToken)
    {
        using var hasher = DigestHasher.Create(DigestFunction.Blake3, blob.Length);
        var question = new Google.Bytestream.ReadRequest { ResourceName = $"blobs/{Digest.Of(DigestFunction.Sha256, blob)}" };
        await caller.ReadAllAsync(
            Methods.Read, new ByteArrayContent(GrpcCaller.Frame(question)),
            message => hasher.Append(Google.Bytestream.ReadResponse.Parser.ParseFrom(message.Span).Data.Span), cancellationToken);
        return hasher.Finish();
    }
}
