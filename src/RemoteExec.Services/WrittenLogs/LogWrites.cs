using Google.Bytestream;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Rpc;

namespace RemoteExec.Services;

/// <summary>ByteStream's calls that write a log (REAPI BW11): what a message brings is committed, and readable, before the next is looked at.</summary>
internal sealed class LogWrites(WrittenLogs logs)
{
    /// <param name="requests">Stands at the first message.</param>
    public async ValueTask<WriteResponse> ReceiveAsync(IAsyncStreamReader<WriteMessage> requests, ServerCallContext context)
    {
        var cancellationToken = context.CancellationToken;
        string resourceName = requests.Current.ResourceName;
        var log = logs.OpenToWrite(resourceName);
        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, logs.Closing);
            // An upload's client sends what it has; a log's may have nothing to say.
            context.SetReceiveIdleMax(logs.SilenceMax);
            return new WriteResponse { CommittedSize = await ReceiveAsync(log, resourceName, requests, either.Token) };
        }
        catch (OperationCanceledException) when (logs.Closing.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw WrittenLogs.Leaving();
        }
        finally
        {
            logs.LeaveWriter(log);
        }
    }

    public QueryWriteStatusResponse Query(string resourceName)
    {
        var log = logs.Find(resourceName).Bytes;
        bool isFinal = log.IsEnded; // first: from then on its length stays
        return new QueryWriteStatusResponse { CommittedSize = log.LengthBytes, Complete = isFinal };
    }

    private async ValueTask<long> ReceiveAsync(WrittenLog log, string resourceName, IAsyncStreamReader<WriteMessage> requests, CancellationToken cancellationToken)
    {
        long committed;
        bool isLast = false;
        do
        {
            using var message = requests.Current;
            if (isLast) throw RpcErrors.Invalid("message after finish_write");
            if (message.ResourceName.Length > 0 && message.ResourceName != resourceName)
                throw RpcErrors.InvalidField("resource_name", "resource_name differs from that of the first message");

            logs.Append(log, message.WriteOffset, message.Data.Span);
            committed = message.WriteOffset + message.Data.Length;
            isLast = message.FinishWrite;
        }
        while (await requests.MoveNext(cancellationToken));

        // Not before the client has closed: what it sends behind that is its mistake, and its log goes on (REAPI BW4).
        if (isLast) logs.Finish(log, committed);
        return committed;
    }
}
