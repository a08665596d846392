using Google.LongRunning;

namespace RemoteExec.Conformance;

/// <summary>google.longrunning.Operations (REAPI E20).</summary>
internal static class OperationChecks
{
    public static IEnumerable<Check> All =>
    [
        new("E20", "GetOperation has what Execute told", "done", async peer =>
        {
            var ran = await peer.RunOfferedAsync(new ActionDraft("exit 0"));
            var operation = await Peer.OfferedAsync(peer.Operations.GetOperationAsync(new GetOperationRequest { Name = ran.Last.Name }).ResponseAsync);
            return operation.Done && operation.Response.Equals(ran.Last.Response) ? "done" : "something else";
        }),
        .. from method in (string[])["GetOperation", "CancelOperation", "DeleteOperation", "WaitOperation"]
           select new Check("E20", $"{method} of a name that nobody gave is NOT_FOUND", "NOT_FOUND", async peer =>
           {
               await peer.RequireExecutionAsync();
               string name = $"operations/{Guid.NewGuid()}";
               Task call = method switch
               {
                   "GetOperation" => Peer.OfferedAsync(peer.Operations.GetOperationAsync(new GetOperationRequest { Name = name }).ResponseAsync),
                   "CancelOperation" => Peer.OfferedAsync(peer.Operations.CancelOperationAsync(new CancelOperationRequest { Name = name }).ResponseAsync),
                   "DeleteOperation" => Peer.OfferedAsync(peer.Operations.DeleteOperationAsync(new DeleteOperationRequest { Name = name }).ResponseAsync),
                   _ => Peer.OfferedAsync(peer.Operations.WaitOperationAsync(new WaitOperationRequest { Name = name }).ResponseAsync),
               };
               await call;
               return "OK";
           }),
        new("E20", "CancelOperation may come twice, and after the end", "OK", async peer =>
        {
            var ran = await peer.RunOfferedAsync(new ActionDraft("exit 0"));
            for (int i = 0; i < 2; i++) await Peer.OfferedAsync(peer.Operations.CancelOperationAsync(new CancelOperationRequest { Name = ran.Last.Name }).ResponseAsync);
            return "OK";
        }),
        new("E20", "DeleteOperation forgets a finished one", "NOT_FOUND", async peer =>
        {
            var ran = await peer.RunOfferedAsync(new ActionDraft("exit 0"));
            await Peer.OfferedAsync(peer.Operations.DeleteOperationAsync(new DeleteOperationRequest { Name = ran.Last.Name }).ResponseAsync);
            return (await peer.Operations.GetOperationAsync(new GetOperationRequest { Name = ran.Last.Name })).Done ? "still there" : "not done";
        }),
        new("E20", "WaitOperation answers with the end", "done", async peer =>
        {
            await peer.RequireExecutionAsync();
            using var call = peer.Execute(await peer.StoreAsync(new ActionDraft("sleep 1")));
            var running = await peer.UntilExecutingAsync(call);
            var operation = await Peer.OfferedAsync(peer.Operations.WaitOperationAsync(new WaitOperationRequest { Name = running!.Name }).ResponseAsync);
            return operation.Done ? "done" : "not done";
        }),
        new("E20", "ListOperations pages through all, with the one that was just run", "it is there", async peer =>
        {
            var ran = await peer.RunOfferedAsync(new ActionDraft("exit 0"));
            var request = new ListOperationsRequest { Name = peer.Instance.Length == 0 ? "operations" : $"{peer.Instance}/operations", PageSize = 50 };
            while (true)
            {
                var page = await Peer.OfferedAsync(peer.Operations.ListOperationsAsync(request).ResponseAsync);
                if (page.Operations.Any(operation => operation.Name == ran.Last.Name)) return "it is there";
                if (page.NextPageToken.Length == 0) return "it is not there";
                request.PageToken = page.NextPageToken;
            }
        }),
        .. from filter in (string[])["stage != completed", "stage = executing", "tool_name = bazel", "invocation_id = 1", "platform = x:y", "command = nothing", "name = nothing"]
           select new Check("E20", $"ListOperations takes the filter '{filter}'", "OK or INVALID_ARGUMENT", async peer =>
           {
               await peer.RequireExecutionAsync();
               await Peer.OfferedAsync(peer.Operations.ListOperationsAsync(new ListOperationsRequest { Name = "operations", Filter = filter }).ResponseAsync);
               return "OK";
           }),
        new("E20", "ListOperations refuses what is no filter", "INVALID_ARGUMENT", async peer =>
        {
            await peer.RequireExecutionAsync();
            await Peer.OfferedAsync(peer.Operations.ListOperationsAsync(new ListOperationsRequest { Name = "operations", Filter = "!!" }).ResponseAsync);
            return "OK";
        }),
    ];
}
