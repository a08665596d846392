using System.Numerics;
using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Storage;

/// <summary>
/// The blobs of a server that speaks REAPI: small ones by batch calls, large ones by ByteStream. Calls are tried again and streams are
/// resumed where they broke, for as long as the server may be away.
/// </summary>
public sealed class RemoteBlobStore : IBlobStore
{
    // About 100 bytes each on the wire: a quarter of the 4 MiB that a message may have.
    private const int DigestsPerCallMax = 10_000;

    // Batches are asked for by many and belong to nobody who could cancel them. Three megabytes take longer on no link that is of use.
    private static readonly TimeSpan BatchMax = TimeSpan.FromMinutes(5);

    // A server may let it wait for a place, and reads all of a blob that nobody has asked it to split before. It has the blob whole all the same.
    private static readonly TimeSpan SplitMax = TimeSpan.FromSeconds(30);

    private readonly InstanceName _instance;
    private readonly ContentAddressableStorage.ContentAddressableStorageClient _blobs;
    private readonly ByteStream.ByteStreamClient _bytes;
    private readonly Capabilities.CapabilitiesClient _capabilities;
    private readonly BlobBatches _reads;
    private readonly BlobBatches _writes;
    private CacheCapabilities? _abilities; // null until the server has told

    public RemoteBlobStore(ChannelBase channel, InstanceName instance, RemoteBlobStoreOptions options)
    {
        _instance = instance;
        _blobs = new ContentAddressableStorage.ContentAddressableStorageClient(channel.CreateCallInvoker());
        _bytes = new ByteStream.ByteStreamClient(channel.CreateCallInvoker());
        _capabilities = new Capabilities.CapabilitiesClient(channel.CreateCallInvoker());
        _reads = new BlobBatches(ReadBatchAsync);
        _writes = new BlobBatches(WriteBatchAsync);
        Options = options;
    }

    internal RemoteBlobStoreOptions Options { get; }

    public async ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken)
    {
        var missing = new List<Digest>();
        // One request, one function (REAPI D5); and the empty blob needs no question.
        foreach (var group in digests.Where(digest => !digest.IsEmpty).Distinct().GroupBy(digest => digest.Function))
        {
            foreach (var piece in group.Chunk(DigestsPerCallMax))
            {
                var request = new FindMissingBlobsRequest { InstanceName = _instance.Value, DigestFunction = group.Key.ToWire() };
                request.BlobDigests.AddRange(piece.Select(digest => digest.ToWire()));
                var response = await AskAsync(
                    () => _blobs.FindMissingBlobsAsync(request, new CallOptions(cancellationToken: cancellationToken)), cancellationToken);
                missing.AddRange(response.MissingBlobDigests.Select(wire => WireDigests.FromWire(wire, group.Key, "missing_blob_digests")));
            }
        }

        return missing;
    }

    public ValueTask ReadManyAsync(IReadOnlyList<Digest> digests, IBlobReceiver receiver, CancellationToken cancellationToken) =>
        this.ReadTogetherAsync(digests, receiver, cancellationToken);

    public async ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken)
    {
        StorageErrors.CheckOffset(digest, offset);
        if (digest.IsEmpty) return new MemoryBlobReader(default);
        if (digest.SizeBytes <= Options.UnaryBytesMax)
            return await ReadSmallAsync(digest, cancellationToken) is { } data ? new MemoryBlobReader(data[(int)offset..]) : null;

        var reader = new RemoteBlobReader(this, digest, offset);
        try
        {
            // NOT_FOUND comes before the first byte or not at all.
            if (await reader.TryOpenAsync(cancellationToken)) return reader;
        }
        catch
        {
            await reader.DisposeAsync();
            throw;
        }

        await reader.DisposeAsync();
        return null;
    }

    public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult<IBlobWriter>(
            digest.IsEmpty ? new PresentBlobWriter(digest)
            : digest.SizeBytes <= Options.UnaryBytesMax ? new SmallRemoteBlobWriter(this, digest)
            : new RemoteBlobWriter(this, digest));
    }

    /// <summary>Small ones share calls from the first one on; the server checks each.</summary>
    public async ValueTask<Status[]> WriteManyAsync(IReadOnlyList<(Digest Digest, ReadOnlyMemory<byte> Data)> blobs, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        // What is not what its name says is refused here, by the writer: those who want the same blob at the same time share one transfer and its answer, and
        // nobody's wrong bytes may be the answer to somebody else's right ones.
        var together = Enumerable.Range(0, blobs.Count).Where(i => !blobs[i].Digest.IsEmpty && blobs[i].Digest.SizeBytes <= Options.UnaryBytesMax && IsNamedRightly(blobs[i])).ToList();
        var alone = Enumerable.Range(0, blobs.Count).Except(together).ToList();
        // Copied: a call goes on when its caller has left, and the memory is his again.
        var answers = _writes.AskMany([.. together.Select(i => new BlobAsk(blobs[i].Digest, ByteString.CopyFrom(blobs[i].Data.Span)))], cancellationToken);
        var written = this.WriteEachAsync([.. alone.Select(i => blobs[i])], cancellationToken).AsTask();
        var statuses = new Status[blobs.Count];
        try
        {
            for (int i = 0; i < together.Count; i++) statuses[together[i]] = await StatusAsync(blobs[together[i]].Digest, answers[i], cancellationToken);
        }
        finally
        {
            // It reads from the caller's memory, also when he has left.
            await ((Task)written).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        var ofAlone = await written;
        for (int i = 0; i < alone.Count; i++) statuses[alone[i]] = ofAlone[i];
        return statuses;
    }

    private static bool IsNamedRightly((Digest Digest, ReadOnlyMemory<byte> Data) blob) =>
        blob.Digest.SizeBytes == blob.Data.Length && Digest.Of(blob.Digest.Function, blob.Data.Span) == blob.Digest;

    /// <summary>The chunks of a blob; null when the server does not split this one, or none, and whatever else is wrong: the blob can be had whole.</summary>
    internal async ValueTask<ChunkList?> SplitAsync(Digest blob, CancellationToken cancellationToken)
    {
        var limited = new CallOptions(deadline: TimeProvider.System.GetUtcNow().UtcDateTime + SplitMax, cancellationToken: cancellationToken);
        try
        {
            if (!(await AskAbilitiesAsync(limited)).SplitBlobSupport) return null;

            var answer = await _blobs.SplitBlobAsync(
                new SplitBlobRequest { InstanceName = _instance.Value, BlobDigest = blob.ToWire(), DigestFunction = blob.Function.ToWire() }, limited);
            List<Digest> chunks = [.. answer.ChunkDigests.Select(wire => WireDigests.FromWire(wire, blob.Function, "chunk_digests"))];
            return chunks.Sum(chunk => chunk.SizeBytes) == blob.SizeBytes ? new ChunkList((ChunkingAlgorithm)(int)answer.ChunkingFunction, chunks) : null;
        }
        catch (RpcException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>How large the chunks are, on average (FastCDC), of which the server makes blobs; null when it does not, or does not say.</summary>
    internal async ValueTask<int?> SplicedBytesAsync(CancellationToken cancellationToken)
    {
        var limited = new CallOptions(deadline: TimeProvider.System.GetUtcNow().UtcDateTime + SplitMax, cancellationToken: cancellationToken);
        try
        {
            var abilities = await AskAbilitiesAsync(limited);
            if (!abilities.SpliceBlobSupport || abilities.FastCdc2020Params is not { Seed: 0 } cut) return null;
            return cut.AvgChunkSizeBytes is >= FastCdc2020.AverageBytesMin and <= FastCdc2020.AverageBytesMax && BitOperations.IsPow2(cut.AvgChunkSizeBytes)
                ? (int)cut.AvgChunkSizeBytes
                : null;
        }
        catch (RpcException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>Makes a blob of chunks that the server has.</summary>
    internal async ValueTask SpliceAsync(Digest blob, IReadOnlyList<Digest> chunks, CancellationToken cancellationToken)
    {
        var request = new SpliceBlobRequest
        {
            InstanceName = _instance.Value,
            BlobDigest = blob.ToWire(),
            ChunkDigests = { chunks.Select(chunk => chunk.ToWire()) },
            ChunkingFunction = WireChunkingFunction.FastCdc2020,
            DigestFunction = blob.Function.ToWire(),
        };
        await AskAsync(
            () => _blobs.SpliceBlobAsync(request, new CallOptions(deadline: TimeProvider.System.GetUtcNow().UtcDateTime + BatchMax, cancellationToken: cancellationToken)),
            cancellationToken);
    }

    /// <summary>REAPI C9: asked once. What is not announced is not there.</summary>
    private async ValueTask<CacheCapabilities> AskAbilitiesAsync(CallOptions limited) =>
        _abilities ??= (await _capabilities.GetCapabilitiesAsync(new GetCapabilitiesRequest { InstanceName = _instance.Value }, limited)).CacheCapabilities ?? new CacheCapabilities();

    internal AsyncServerStreamingCall<ReadResponse> Read(in Digest digest, long offset, CancellationToken cancellationToken) =>
        _bytes.Read(
            new ReadRequest { ResourceName = new BlobResourceName(_instance, digest).ToStringWithFunction(), ReadOffset = offset },
            new CallOptions(cancellationToken: cancellationToken));

    internal AsyncClientStreamingCall<WriteRequest, WriteResponse> Write() => _bytes.Write(new CallOptions());

    internal string NewUploadName(in Digest digest) =>
        new UploadResourceName(Guid.NewGuid().ToString(), new BlobResourceName(_instance, digest)).ToStringWithFunction();

    /// <summary>How much of an upload the server has; null when it has the blob.</summary>
    internal async ValueTask<long?> QueryWriteAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            var status = await _bytes.QueryWriteStatusAsync(
                new QueryWriteStatusRequest { ResourceName = name }, new CallOptions(cancellationToken: cancellationToken));
            return status.Complete ? null : status.CommittedSize;
        }
        catch (RpcException unknown) when (unknown.StatusCode is StatusCode.NotFound or StatusCode.Unimplemented)
        {
            return 0;
        }
    }

    internal async ValueTask WriteSmallAsync(Digest digest, ByteString data, CancellationToken cancellationToken) =>
        Check((await _writes.AskAsync(new BlobAsk(digest, data), cancellationToken)).Status);

    private async ValueTask<ReadOnlyMemory<byte>?> ReadSmallAsync(Digest digest, CancellationToken cancellationToken)
    {
        var answer = await _reads.AskAsync(new BlobAsk(digest, Data: null), cancellationToken);
        if (answer.Status.Code == (int)StatusCode.NotFound) return null;

        Check(answer.Status);
        // Whoever keeps the blob verifies its hash; a wrong length would already break a reader.
        return answer.Data.Length == digest.SizeBytes
            ? answer.Data
            : throw RpcErrors.Unavailable($"the server sent {answer.Data.Length} bytes for blob {digest}");
    }

    private async Task<IReadOnlyDictionary<Digest, BlobAnswer>> ReadBatchAsync(IReadOnlyList<BlobAsk> asks)
    {
        var function = asks[0].Digest.Function;
        var request = new BatchReadBlobsRequest { InstanceName = _instance.Value, DigestFunction = function.ToWire() };
        request.Digests.AddRange(asks.Select(ask => ask.Digest.ToWire()));
        var response = await AskAsync(() => _blobs.BatchReadBlobsAsync(request, WithinLimit()), CancellationToken.None);
        return Answers(response.Responses.Select(one => (one.Digest, one.Status, one.Data.Memory)), function);
    }

    private async Task<IReadOnlyDictionary<Digest, BlobAnswer>> WriteBatchAsync(IReadOnlyList<BlobAsk> asks)
    {
        var function = asks[0].Digest.Function;
        var request = new BatchUpdateBlobsRequest { InstanceName = _instance.Value, DigestFunction = function.ToWire() };
        request.Requests.AddRange(asks.Select(ask => new BatchUpdateBlobsRequest.Types.Request { Digest = ask.Digest.ToWire(), Data = ask.Data }));
        var response = await AskAsync(() => _blobs.BatchUpdateBlobsAsync(request, WithinLimit()), CancellationToken.None);
        return Answers(response.Responses.Select(one => (one.Digest, one.Status, ReadOnlyMemory<byte>.Empty)), function);
    }

    private async Task<T> AskAsync<T>(Func<AsyncUnaryCall<T>> ask, CancellationToken cancellationToken)
    {
        var outage = new Outage(Options);
        long start = Options.Time.GetTimestamp();
        while (true)
        {
            try
            {
                return await ask();
            }
            catch (RpcException away) when (Options.Time.GetElapsedTime(start) < Options.OutageMax && outage.MayGoOn(away))
            {
                // Asked again after a pause.
            }

            await outage.PauseAsync(cancellationToken);
        }
    }

    // The order of answers is the server's own; on the wire an unset status is OK.
    private static Dictionary<Digest, BlobAnswer> Answers(
        IEnumerable<(WireDigest Digest, RpcStatus Status, ReadOnlyMemory<byte> Data)> responses, DigestFunction function)
    {
        var answers = new Dictionary<Digest, BlobAnswer>();
        foreach ((var wire, RpcStatus? status, var data) in responses)
        {
            if (WireDigests.TryFromWire(wire, function, out var digest, out _))
                answers[digest] = new BlobAnswer(status ?? new RpcStatus(), data);
        }

        return answers;
    }

    private static CallOptions WithinLimit() => new(deadline: TimeProvider.System.GetUtcNow().UtcDateTime + BatchMax);

    private static async Task<Status> StatusAsync(Digest digest, Task<BlobAnswer> asked, CancellationToken cancellationToken)
    {
        try
        {
            Check((await asked).Status);
            return Status.DefaultSuccess;
        }
        catch (Exception failure) when (failure is RpcException || !cancellationToken.IsCancellationRequested)
        {
            return BlobStoreExtensions.StatusOf(digest, failure);
        }
    }

    private static void Check(RpcStatus status)
    {
        if (status.Code != (int)StatusCode.OK) throw status.ToException();
    }
}
