using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;
using Digest = RemoteExec.Core.Digest;

namespace RemoteExec.Storage.Tests;

/// <summary>A scripted peer: just enough of REAPI on top of a memory store to be spoken to.</summary>
internal sealed class SmallBlobServer(IBlobStore store)
{
    /// <summary>The next stream read breaks after so many bytes.</summary>
    public long? BreakReadAfter { get; set; }

    public int Reads { get; private set; }

    public ContentAddressableStorage.ContentAddressableStorageBase Blobs => new BlobService(this, store);

    public ByteStream.ByteStreamBase Bytes => new ByteService(this, store);

    private sealed class BlobService(SmallBlobServer server, IBlobStore store) : ContentAddressableStorage.ContentAddressableStorageBase
    {
        public override async Task<FindMissingBlobsResponse> FindMissingBlobs(FindMissingBlobsRequest request, ServerCallContext context)
        {
            var function = WireDigests.FunctionOf(request.DigestFunction, null);
            var asked = request.BlobDigests.Select(wire => WireDigests.FromWire(wire, function, "blob_digests")).ToList();
            var missing = await store.FindMissingAsync(asked, context.CancellationToken);
            return new FindMissingBlobsResponse { MissingBlobDigests = { missing.Select(digest => digest.ToWire()) } };
        }

        public override async Task<BatchUpdateBlobsResponse> BatchUpdateBlobs(BatchUpdateBlobsRequest request, ServerCallContext context)
        {
            var function = WireDigests.FunctionOf(request.DigestFunction, null);
            var blob = request.Requests.Single();
            var answer = new BatchUpdateBlobsResponse.Types.Response { Digest = blob.Digest };
            try
            {
                await store.WriteAllAsync(WireDigests.FromWire(blob.Digest, function, "digest"), blob.Data.Memory, context.CancellationToken);
            }
            catch (RpcException refused)
            {
                answer.Status = refused.ToStatus();
            }

            return new BatchUpdateBlobsResponse { Responses = { answer } };
        }

        public override async Task<BatchReadBlobsResponse> BatchReadBlobs(BatchReadBlobsRequest request, ServerCallContext context)
        {
            server.Reads++;
            var function = WireDigests.FunctionOf(request.DigestFunction, null);
            var wire = request.Digests.Single();
            var data = await store.ReadAllAsync(WireDigests.FromWire(wire, function, "digests"), int.MaxValue, context.CancellationToken);
            var answer = new BatchReadBlobsResponse.Types.Response { Digest = wire };
            if (data is { } found) answer.Data = ByteString.CopyFrom(found.Span);
            else answer.Status = new Google.Rpc.Status { Code = (int)StatusCode.NotFound };
            return new BatchReadBlobsResponse { Responses = { answer } };
        }
    }

    private sealed class ByteService(SmallBlobServer server, IBlobStore store) : ByteStream.ByteStreamBase
    {
        public override async Task Read(ReadRequest request, IServerStreamWriter<ReadResponse> responseStream, ServerCallContext context)
        {
            server.Reads++;
            var digest = Parsed(BlobResourceName.TryParseRead(request.ResourceName, out var name, out string? error), name.Digest, error);
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
            IBlobWriter? writer = null;
            try
            {
                while (await requestStream.MoveNext(context.CancellationToken))
                {
                    var request = requestStream.Current;
                    writer ??= await store.CreateWriterAsync(
                        Parsed(UploadResourceName.TryParse(request.ResourceName, out var name, out string? error), name.Blob.Digest, error),
                        context.CancellationToken);
                    await writer.AppendAsync(request.Data.Memory, context.CancellationToken);
                    if (request.FinishWrite) await writer.CommitAsync(context.CancellationToken);
                }

                return new WriteResponse { CommittedSize = writer?.WrittenBytes ?? 0 };
            }
            finally
            {
                if (writer is not null) await writer.DisposeAsync();
            }
        }

        private static Digest Parsed(bool isParsed, Digest digest, string? error) => isParsed ? digest : throw RpcErrors.Invalid(error!);
    }
}
