using Google.LongRunning;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Scheduling;

namespace RemoteExec.Services;

/// <summary>google.longrunning.Operations over executions (REAPI E20): look, list, wait, cancel, forget.</summary>
public sealed class OperationsService(Scheduler scheduler, ServicesOptions options, TimeProvider clock) : Operations.OperationsBase
{
    private const int PageMax = 1000;
    private const int PageDefault = 100;

    private const string Collection = "operations";

    // Tag and length of one operation.
    private const int FramingBytes = 6;

    // A call that waits for ever is a leak of somebody; clients ask again.
    private static readonly TimeSpan WaitMax = TimeSpan.FromMinutes(10);

    public override Task<Operation> GetOperation(GetOperationRequest request, ServerCallContext context) =>
        Task.FromResult(OperationMessages.ToWire(scheduler.Find(request.Name) ?? throw Unknown(request.Name), options.WebAddress));

    /// <summary>
    /// The operations of one instance, which <c>name</c> tells: a name is the right to watch and to cancel. By name, so that pages are
    /// stable while operations come and go: a token is the last name of its page.
    /// </summary>
    public override Task<ListOperationsResponse> ListOperations(ListOperationsRequest request, ServerCallContext context)
    {
        if (request.PageSize < 0) throw RpcErrors.InvalidField("page_size", $"page_size is {request.PageSize}");
        // The name of an operation and nothing else: what is none would silently list from somewhere.
        if (request.PageToken.Length > 0 && !OperationMessages.IsName(request.PageToken))
            throw RpcErrors.InvalidField("page_token", $"'{RequestOrigins.Clean(request.PageToken)}' is no page_token of this list");
        var filter = OperationFilter.Parse(request.Filter);
        int pageSize = request.PageSize == 0 ? PageDefault : Math.Min(request.PageSize, PageMax);

        var operations = scheduler.List(InstanceOf(request.Name))
            .Where(filter.Matches)
            .Where(operation => string.CompareOrdinal(operation.Name, request.PageToken) > 0)
            .OrderBy(operation => operation.Name, StringComparer.Ordinal)
            .Take(pageSize + 1);
        return Task.FromResult(Page(operations, pageSize));
    }

    // The parent of operations, or their collection as google.longrunning's own JSON route names it: {name=operations}.
    private static InstanceName InstanceOf(string name) =>
        Door.Instance(name == Collection ? "" : name.EndsWith("/" + Collection, StringComparison.Ordinal) ? name[..^(Collection.Length + 1)] : name);

    private ListOperationsResponse Page(IEnumerable<OperationSnapshot> operations, int pageSize)
    {
        var page = new ListOperationsResponse();
        long bytes = 0;
        foreach (var operation in operations)
        {
            var wire = OperationMessages.ToWire(operation, options.WebAddress);
            bytes += wire.CalculateSize() + FramingBytes;
            // A finished one brings its whole response. A page has one at least, or nobody would get any further.
            if (page.Operations.Count > 0 && (page.Operations.Count == pageSize || bytes > Limits.AnswerBytesMax))
            {
                page.NextPageToken = page.Operations[^1].Name;
                break;
            }

            page.Operations.Add(wire);
        }

        return page;
    }

    /// <summary>Returns when the operation is done or the time is up, with its state at that moment.</summary>
    public override async Task<Operation> WaitOperation(WaitOperationRequest request, ServerCallContext context)
    {
        var patience = WaitMax;
        if (request.Timeout is { } wire)
        {
            if (wire.Seconds < 0 || wire.Nanos is < 0 or > 999_999_999) throw RpcErrors.InvalidField("timeout", "timeout is negative or not a duration");
            if (wire.Seconds < (long)WaitMax.TotalSeconds) patience = wire.ToTimeSpan();
        }

        using var feed = scheduler.Watch(request.Name) ?? throw Unknown(request.Name);
        return OperationMessages.ToWire(await WaitAsync(feed, patience, context.CancellationToken), options.WebAddress);
    }

    // Heard as soon as it is read; the call's token ends only the wait for the answer.
    public override async Task<Empty> CancelOperation(CancelOperationRequest request, ServerCallContext context) =>
        await scheduler.CancelAsync(request.Name, context.CancellationToken) ? new Empty() : throw Unknown(request.Name);

    public override async Task<Empty> DeleteOperation(DeleteOperationRequest request, ServerCallContext context) =>
        await scheduler.DeleteAsync(request.Name, context.CancellationToken) ? new Empty() : throw Unknown(request.Name);

    private async ValueTask<OperationSnapshot> WaitAsync(OperationFeed feed, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var timeUp = new CancellationTokenSource(patience, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeUp.Token, cancellationToken);
        try
        {
            return await feed.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return feed.Current;
        }
    }

    private static RpcException Unknown(string name) => RpcErrors.NotFound("operation", RequestOrigins.Clean(name));
}
