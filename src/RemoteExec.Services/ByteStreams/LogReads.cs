using Google.Bytestream;
using Grpc.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Services;

/// <summary>ByteStream's calls that read a log: everything that it has, what it gets, and then its end (REAPI BR7).</summary>
/// <param name="running">Null on a server that runs nothing.</param>
/// <param name="places">One is held while a piece is sent, and none while there is nothing to send: who does not take it keeps a block of the log.</param>
internal sealed class LogReads(LiveLogs? running, WrittenLogs written, OpenReads places)
{
    public async ValueTask SendAsync(BlobSender sender, ReadRequest request, ServerCallContext context)
    {
        if (request.ReadLimit < 0) throw RpcErrors.InvalidField("read_limit", $"read_limit is {request.ReadLimit}");
        if (request.ReadOffset < 0) throw new RpcException(new Status(StatusCode.OutOfRange, $"read_offset is {request.ReadOffset}"));
        if (LogStreamName.TryParse(request.ResourceName, out var name))
        {
            await FollowAsync(running?.Open(name) ?? throw Unknown(request), sender, request, context);
            return;
        }

        var log = written.OpenToRead(request.ResourceName) ?? throw Unknown(request);
        try
        {
            await FollowAsync(log.Bytes, sender, request, context);
        }
        finally
        {
            written.LeaveReader(log);
        }
    }

    private static RpcException Unknown(ReadRequest request) => RpcErrors.NotFound("log stream", RequestOrigins.Clean(request.ResourceName));

    private async ValueTask FollowAsync(LiveLog log, BlobSender sender, ReadRequest request, ServerCallContext context)
    {
        var cancellationToken = context.CancellationToken;
        string connection = context.Peer;
        long position = request.ReadOffset;
        long left = request.ReadLimit > 0 ? request.ReadLimit : long.MaxValue;
        while (left > 0)
        {
            var bytes = log.Read(position, out long? end, out var state, out var changed);
            if (position > end) throw new RpcException(new Status(StatusCode.OutOfRange, $"read_offset {position} is behind the end of the log at {end}"));
            if (position == end) return;

            if (bytes.IsEmpty)
            {
                if (state == LiveLogState.Forgotten)
                    throw RpcErrors.NotFound("log stream", $"{RequestOrigins.Clean(request.ResourceName)}: it was forgotten while it was read, at byte {position}; it may have had more");
                if (state == LiveLogState.Closed) throw RpcErrors.Unavailable("the coordinator is shutting down");
                await changed.WaitAsync(cancellationToken);
                continue;
            }

            if (bytes.Length > left) bytes = bytes[..(int)left];
            using (await places.EnterAsync(connection, cancellationToken)) await sender.SendAsync(bytes, cancellationToken);
            position += bytes.Length;
            left -= bytes.Length;
        }
    }
}
