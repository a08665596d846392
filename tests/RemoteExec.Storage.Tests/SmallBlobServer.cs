using System.Collections.Concurrent;
using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Storage.Tests;

/// <summary>A scripted peer: just enough of REAPI on top of a memory store to be spoken to.</summary>
internal sealed class SmallBlobServer(IBlobStore store)
{
    private readonly ConcurrentDictionary<string, IBlobWriter> _uploads = new();

    /// <summary>The next stream read breaks after so many bytes.</summary>
    public long? BreakReadAfter { get; set; }

    public int Reads { get; private set; }

    /// <summary>How many blobs each batch had.</summary>
    public ConcurrentQueue<int> Batches { get; } = new();

    /// <summary>Held up before it is answered; throws when the call shall fail.</summary>
    public Func<Task> BeforeBatchAsync { get; set; } = () => Task.CompletedTask;

    /// <summary>The next stream write breaks after so many bytes; what came is kept for the client's question, unless the server forgets.</summary>
    public long? BreakWriteAfter { get; set; }

    public bool ForgetsUploads { get; set; }

    /// <summary>Questions are answered, but no stream gets through.</summary>
    public bool BreaksEveryWrite { get; set; }

    /// <summary>While set, streams and questions about them are UNAVAILABLE.</summary>
    public bool IsAway { get; set; }

    /// <summary>Null: it does not split.</summary>
    public BlobSplitter? Splitter { get; init; }

    /// <summary>Whether it announces that.</summary>
    public bool Splits { get; set; } = true;

    public StatusCode? SplitRefusal { get; set; }

    /// <summary>What chunks it announces to make blobs of; null for none.</summary>
    public int? SplicedBytes { get; set; }

    public StatusCode? SpliceRefusal { get; set; }

    public int SpliceCalls { get; private set; }

    /// <summary>So many are read in batches, and the others are gone.</summary>
    public int? LosesChunksAfter { get; set; }

    /// <summary>So many are read in batches, and then it is away; null when it is not.</summary>
    public int? ChunksUntilAway { get; set; }

    /// <summary>What it was asked to read in batches and was not away for.</summary>
    public ConcurrentQueue<Digest> Asked { get; } = new();

    public int SplitCalls { get; private set; }

    public Capabilities.CapabilitiesBase Abilities => new AbilityService(this);

    public ConcurrentQueue<long> WriteOffsets { get; } = new();

    public ContentAddressableStorage.ContentAddressableStorageBase Blobs => new BlobService(this, store);

    public ByteStream.ByteStreamBase Bytes => new ByteService(this, store);

    private void MayBeAway(int chunks)
    {
        lock (_uploads)
        {
            if (ChunksUntilAway is not { } left) return;
            ChunksUntilAway = Math.Max(0, left - chunks);
            if (left < chunks) throw RpcErrors.Unavailable("away");
        }
    }

    private sealed class BlobService(SmallBlobServer server, IBlobStore store) : ContentAddressableStorage.ContentAddressableStorageBase
    {
        public override async Task<FindMissingBlobsResponse> FindMissingBlobs(FindMissingBlobsRequest request, ServerCallContext context)
        {
            var function = WireDigests.FunctionOf(request.DigestFunction, null, unnamed: default);
            var asked = request.BlobDigests.Select(wire => WireDigests.FromWire(wire, function, "blob_digests")).ToList();
            var missing = await store.FindMissingAsync(asked, context.CancellationToken);
            return new FindMissingBlobsResponse { MissingBlobDigests = { missing.Select(digest => digest.ToWire()) } };
        }

        public override async Task<BatchUpdateBlobsResponse> BatchUpdateBlobs(BatchUpdateBlobsRequest request, ServerCallContext context)
        {
            server.Batches.Enqueue(request.Requests.Count);
            await server.BeforeBatchAsync();
            var function = WireDigests.FunctionOf(request.DigestFunction, null, unnamed: default);
            var response = new BatchUpdateBlobsResponse();
            foreach (var blob in request.Requests)
            {
                var answer = new BatchUpdateBlobsResponse.Types.Response { Digest = blob.Digest };
                response.Responses.Add(answer);
                try
                {
                    await store.WriteAllAsync(WireDigests.FromWire(blob.Digest, function, "digest"), blob.Data.Memory, context.CancellationToken);
                }
                catch (RpcException refused)
                {
                    answer.Status = refused.ToStatus();
                }
            }

            return response;
        }

        public override async Task<SplitBlobResponse> SplitBlob(SplitBlobRequest request, ServerCallContext context)
        {
            server.SplitCalls++;
            if (server.SplitRefusal is { } code) throw new RpcException(new Status(code, "refused"));
            var blob = WireDigests.FromWire(request.BlobDigest, WireDigests.FunctionOf(request.DigestFunction, null, unnamed: default), "blob_digest");
            var list = await server.Splitter!.SplitAsync(blob, ChunkingAlgorithm.Unknown, chunksMax: 10_000, context.CancellationToken)
                ?? throw RpcErrors.NotFound("blob", blob.ToString());
            return new SplitBlobResponse { ChunkDigests = { list.Chunks.Select(chunk => chunk.ToWire()) }, ChunkingFunction = (WireChunkingFunction)(int)list.Algorithm };
        }

        public override async Task<SpliceBlobResponse> SpliceBlob(SpliceBlobRequest request, ServerCallContext context)
        {
            server.SpliceCalls++;
            if (server.SpliceRefusal is { } code) throw new RpcException(new Status(code, "refused"));
            var function = WireDigests.FunctionOf(request.DigestFunction, null, unnamed: default);
            var chunks = request.ChunkDigests.Select(wire => WireDigests.FromWire(wire, function, "chunk_digests")).ToList();
            await server.Splitter!.SpliceAsync(
                WireDigests.FromWire(request.BlobDigest, function, "blob_digest"), new ChunkList((ChunkingAlgorithm)(int)request.ChunkingFunction, chunks), context.CancellationToken);
            return new SpliceBlobResponse { BlobDigest = request.BlobDigest };
        }

        public override async Task<BatchReadBlobsResponse> BatchReadBlobs(BatchReadBlobsRequest request, ServerCallContext context)
        {
            server.Batches.Enqueue(request.Digests.Count);
            await server.BeforeBatchAsync();
            var function = WireDigests.FunctionOf(request.DigestFunction, null, unnamed: default);
            server.MayBeAway(request.Digests.Count);
            foreach (var wire in request.Digests) server.Asked.Enqueue(WireDigests.FromWire(wire, function, "digests"));
            var response = new BatchReadBlobsResponse();
            // From the last to the first: a server answers in what order it likes.
            foreach (var wire in request.Digests.Reverse())
            {
                bool isLost = server.LosesChunksAfter-- <= 0;
                var data = isLost ? null : await store.ReadAllAsync(WireDigests.FromWire(wire, function, "digests"), int.MaxValue, context.CancellationToken);
                var answer = new BatchReadBlobsResponse.Types.Response { Digest = wire };
                if (data is { } found) answer.Data = ByteString.CopyFrom(found.Span);
                else answer.Status = new Google.Rpc.Status { Code = (int)StatusCode.NotFound };
                response.Responses.Add(answer);
            }

            return response;
        }
    }

    private sealed class AbilityService(SmallBlobServer server) : Capabilities.CapabilitiesBase
    {
        public override Task<ServerCapabilities> GetCapabilities(GetCapabilitiesRequest request, ServerCallContext context) =>
            Task.FromResult(new ServerCapabilities
            {
                CacheCapabilities = new CacheCapabilities
                {
                    SplitBlobSupport = server.Splits,
                    SpliceBlobSupport = server.SplicedBytes is not null,
                    FastCdc2020Params = server.SplicedBytes is { } bytes ? new FastCdc2020Params { AvgChunkSizeBytes = (ulong)bytes } : null,
                },
            });
    }

    private sealed class ByteService(SmallBlobServer server, IBlobStore store) : ByteStream.ByteStreamBase
    {
        public override async Task Read(ReadRequest request, IServerStreamWriter<ReadResponse> responseStream, ServerCallContext context)
        {
            server.Reads++;
            var digest = Parsed(BlobResourceName.TryParseRead(request.ResourceName, unnamed: default, out var name, out string? error), name.Digest, error);
            await using var reader = await store.OpenReadAsync(digest, request.ReadOffset, context.CancellationToken)
                ?? throw RpcErrors.NotFound("blob", request.ResourceName);
            byte[] buffer = new byte[100_000];
            long sent = 0;
            for (int read; (read = await reader.ReadAsync(buffer, context.CancellationToken)) > 0; sent += read)
            {
                if (server.BreakReadAfter is { } limit && sent >= limit)
                {
                    server.BreakReadAfter = null;
                    throw RpcErrors.Unavailable("cut");
                }

                await responseStream.WriteAsync(new ReadResponse { Data = ByteString.CopyFrom(buffer, 0, read) });
            }
        }

        public override async Task<WriteResponse> Write(IAsyncStreamReader<WriteRequest> requestStream, ServerCallContext context)
        {
            if (server.IsAway || server.BreaksEveryWrite) throw RpcErrors.Unavailable("away");
            IBlobWriter? writer = null;
            string name = "";
            try
            {
                while (await requestStream.MoveNext(context.CancellationToken))
                {
                    var request = requestStream.Current;
                    if (writer is null)
                    {
                        name = request.ResourceName;
                        server.WriteOffsets.Enqueue(request.WriteOffset);
                        var digest = Parsed(UploadResourceName.TryParse(name, unnamed: default, out var parsed, out string? error), parsed.Blob.Digest, error);
                        if (!server._uploads.TryRemove(name, out writer)) writer = await store.CreateWriterAsync(digest, context.CancellationToken);
                        if (request.WriteOffset != writer.WrittenBytes) throw RpcErrors.Invalid($"expected {writer.WrittenBytes}");
                    }

                    await writer.AppendAsync(request.Data.Memory, context.CancellationToken);
                    if (writer.WrittenBytes >= server.BreakWriteAfter)
                    {
                        server.BreakWriteAfter = null;
                        if (!server.ForgetsUploads) (server._uploads[name], writer) = (writer, null);
                        throw RpcErrors.Unavailable("cut");
                    }

                    if (request.FinishWrite) await writer.CommitAsync(context.CancellationToken);
                }

                return new WriteResponse { CommittedSize = writer?.WrittenBytes ?? 0 };
            }
            finally
            {
                if (writer is not null) await writer.DisposeAsync();
            }
        }

        public override Task<QueryWriteStatusResponse> QueryWriteStatus(QueryWriteStatusRequest request, ServerCallContext context)
        {
            if (server.IsAway) throw RpcErrors.Unavailable("away");
            return server._uploads.TryGetValue(request.ResourceName, out var upload)
                ? Task.FromResult(new QueryWriteStatusResponse { CommittedSize = upload.WrittenBytes })
                : throw RpcErrors.NotFound("upload", request.ResourceName);
        }

        private static Digest Parsed(bool isParsed, Digest digest, string? error) => isParsed ? digest : throw RpcErrors.Invalid(error!);
    }
}
