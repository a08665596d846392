using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// Big blobs (REAPI 1.5, 1.6), what running actions write (REAPI T5), and logs that clients write (REAPI BW11). Reading and writing work on the bytes of their messages: of each message only the few fields
/// before the data are parsed, and the data moves between the connection's buffers and the store.
/// </summary>
public sealed class ByteStreamService : ByteStream.ByteStreamBase, IAsyncDisposable
{
    internal static Method<ReadRequest, ReadChunk> ReadMethod { get; } = new(
        MethodType.ServerStreaming, ByteStream.Descriptor.FullName, nameof(ByteStream.ByteStreamBase.Read),
        ServedOnly.Requests(context => ReadRequest.Parser.ParseFrom(context.PayloadAsReadOnlySequence())),
        ServedOnly.Responses<ReadChunk>(ReadChunk.Serialize));

    internal static Method<WriteMessage, WriteResponse> WriteMethod { get; } = new(
        MethodType.ClientStreaming, ByteStream.Descriptor.FullName, nameof(ByteStream.ByteStreamBase.Write),
        ServedOnly.Requests(WriteMessage.Deserialize),
        Marshallers.Create(response => response.ToByteArray(), WriteResponse.Parser.ParseFrom));

    // REAPI G5: a balancer may route by this copy of the name.
    private const string ResourceNameHeader = "build.bazel.remote.execution.v2.resource-name";

    private readonly IBlobStore _store;
    private readonly LogWrites _logWrites;
    private readonly LogReads _logReads;
    private readonly ServicesOptions _options;
    private readonly Uploads _uploads;
    private readonly OpenReads _reads;

    /// <param name="logs">Null on a server that runs nothing.</param>
    internal ByteStreamService(IBlobStore store, LiveLogs? logs, WrittenLogs written, ServicesOptions options, TimeProvider clock)
    {
        _store = store;
        _logWrites = new LogWrites(written);
        _options = options;
        _uploads = new Uploads(options, clock);
        _reads = new OpenReads(options.OpenReadsMax, clock);
        _logReads = new LogReads(logs, written, _reads);
    }

    /// <summary>Uploads that wait for their clients, or have them.</summary>
    public int UnfinishedUploads => _uploads.Count;

    public ValueTask DisposeAsync() => _uploads.DisposeAsync();

    internal async Task ReadAsync(ReadRequest request, IServerStreamWriter<ReadChunk> responses, ServerCallContext context)
    {
        var cancellationToken = context.CancellationToken;
        var sender = new BlobSender(responses, _options.Observer);
        CheckHeader(context, request.ResourceName);
        if (LogStreamNames.IsWrite(request.ResourceName))
            throw RpcErrors.InvalidField("resource_name", "this is the name to write a log stream; the one to read it has no token behind it");
        if (LogStreamNames.IsRead(request.ResourceName))
        {
            await _logReads.SendAsync(sender, request, context);
            return;
        }

        if (!BlobResourceName.TryParseRead(request.ResourceName, _options.UnnamedDigestFunction, out var name, out string? error))
            throw RpcErrors.InvalidField("resource_name", error);
        if (request.ReadLimit < 0) throw RpcErrors.InvalidField("read_limit", $"read_limit is {request.ReadLimit}");
        // An offset in compressed data would have to count bytes that depend on our compressor (REAPI BR3).
        if (request.ReadLimit != 0 && name.Compressor != Compressor.Identity)
            throw RpcErrors.InvalidField("read_limit", "a compressed read has no read_limit");
        if (request.ReadOffset < 0 || request.ReadOffset > name.Digest.SizeBytes)
            throw new RpcException(new Status(StatusCode.OutOfRange, $"read_offset {request.ReadOffset} is outside of blob {name.Digest}"));

        using var place = await _reads.EnterAsync(context.Peer, cancellationToken);
        await using var reader = await (request.ReadLimit > 0
                ? _store.OpenReadAsync(name.Digest, request.ReadOffset, cancellationToken)
                : _store.OpenToEndAsync(name.Digest, request.ReadOffset, cancellationToken))
            ?? throw RpcErrors.NotFound("blob", name.Digest.ToString());
        long bytes = reader.RemainingBytes;
        if (request.ReadLimit > 0) bytes = Math.Min(bytes, request.ReadLimit);
        if (name.Compressor == Compressor.Identity)
            await sender.SendAsync(reader, bytes, cancellationToken);
        else
            await sender.SendCompressedAsync(reader, cancellationToken);
    }

    internal async Task<WriteResponse> WriteAsync(IAsyncStreamReader<WriteMessage> requests, ServerCallContext context)
    {
        if (!await requests.MoveNext(context.CancellationToken)) throw RpcErrors.Invalid("the stream has no message");

        var message = requests.Current;
        UploadHold held;
        try
        {
            CheckHeader(context, message.ResourceName);
            if (LogStreamNames.IsWrite(message.ResourceName)) return await _logWrites.ReceiveAsync(requests, context);

            held = await _uploads.EnterAsync(ParseUpload(message.ResourceName), context.CancellationToken);
        }
        catch (Exception)
        {
            message.Dispose(); // nobody has it yet
            throw;
        }

        await using var hold = held;
        try
        {
            return new WriteResponse { CommittedSize = await ReceiveAsync(requests, message, hold.Upload, hold.CancellationToken) };
        }
        catch (OperationCanceledException) when (hold.Interruption is { } reason)
        {
            throw reason;
        }
    }

    /// <summary>Bazel asks after every failed attempt and goes on from the answer (REAPI R14, BW9).</summary>
    public override async Task<QueryWriteStatusResponse> QueryWriteStatus(QueryWriteStatusRequest request, ServerCallContext context)
    {
        CheckHeader(context, request.ResourceName);
        if (LogStreamNames.IsWrite(request.ResourceName)) return _logWrites.Query(request.ResourceName);

        var name = ParseUpload(request.ResourceName);
        var digest = name.Blob.Digest;
        if ((await _store.FindMissingAsync([digest], context.CancellationToken)).Count == 0)
            return new QueryWriteStatusResponse { CommittedSize = digest.SizeBytes, Complete = true };

        var upload = _uploads.Find(name) ?? throw RpcErrors.NotFound("upload", name.ToString());
        return new QueryWriteStatusResponse { CommittedSize = upload.CommittedBytes };
    }

    /// <summary>One call's messages; answers the committed size.</summary>
    private async ValueTask<long> ReceiveAsync(
        IAsyncStreamReader<WriteMessage> requests, WriteMessage message, Upload upload, CancellationToken cancellationToken)
    {
        string resourceName = message.ResourceName;
        bool isTaken = false; // by the store, which may still read it when it has failed
        try
        {
            await upload.EnterAsync(_store, message.WriteOffset, cancellationToken);
            while (!upload.IsPresent)
            {
                if (message.ResourceName.Length > 0 && message.ResourceName != resourceName)
                    throw upload.Broken(RpcErrors.InvalidField("resource_name", "resource_name differs from that of the first message"));
                if (message.WriteOffset != upload.ExpectedOffset)
                    throw RpcErrors.InvalidField("write_offset", $"write_offset is {message.WriteOffset}, expected {upload.ExpectedOffset}");

                isTaken = true;
                await upload.AppendAsync(message.Data, cancellationToken);
                isTaken = false;
                bool isLast = message.FinishWrite;
                message.Dispose();
                bool isMore = !upload.IsPresent && await requests.MoveNext(cancellationToken);
                if (isMore) message = requests.Current;
                if (isLast && isMore) throw upload.Broken(RpcErrors.Invalid("message after finish_write"));
                if (isLast) await upload.CommitAsync(cancellationToken);
                // Without finish_write the client may come back for the rest: what came is kept.
                if (!isMore) break;
            }

            return await upload.FinishAsync(cancellationToken);
        }
        finally
        {
            if (!isTaken) message.Dispose();
        }
    }

    private static void CheckHeader(ServerCallContext context, string resourceName)
    {
        if (context.RequestHeaders.GetValue(ResourceNameHeader) is { } routed && routed != resourceName)
            throw RpcErrors.InvalidField("resource_name", $"resource_name differs from the header {ResourceNameHeader}");
    }

    private UploadResourceName ParseUpload(string resourceName)
    {
        // With an instance name in front: an upload's own may end with any words (REAPI N3).
        if (LogStreamNames.TrySplit(resourceName, out _, out _))
            throw RpcErrors.InvalidField("resource_name", "this is the name to read a log stream; it is written by who made it, or by the worker that runs its action");
        if (!UploadResourceName.TryParse(resourceName, _options.UnnamedDigestFunction, out var name, out string? error))
            throw RpcErrors.InvalidField("resource_name", error);

        Door.CheckBlobSize(name.Blob.Digest, _options);
        return name;
    }
}
