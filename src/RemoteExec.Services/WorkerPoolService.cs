using Grpc.Core;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Services;

/// <summary>remoteexec.v1.WorkerPool: carries <see cref="WorkerConversation"/>s over gRPC.</summary>
public sealed class WorkerPoolService(WorkerConversation conversation) : WorkerPool.WorkerPoolBase
{
    public override Task Join(
        IAsyncStreamReader<WorkerMessage> requestStream, IServerStreamWriter<CoordinatorMessage> responseStream, ServerCallContext context) =>
        conversation.RunAsync(requestStream, responseStream, context.CancellationToken);

    public override Task<ReportResponse> Report(ReportRequest request, ServerCallContext context) =>
        conversation.ReportAsync(request, context.CancellationToken).AsTask();

    public override async Task<LiveOutputResponse> LiveOutput(IAsyncStreamReader<LeaseOutput> requestStream, ServerCallContext context)
    {
        while (await requestStream.MoveNext(context.CancellationToken)) conversation.Show(requestStream.Current);
        return new LiveOutputResponse();
    }
}
