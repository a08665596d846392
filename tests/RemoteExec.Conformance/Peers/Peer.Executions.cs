using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Grpc.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Conformance;

/// <summary>Actions: stored, run, followed.</summary>
internal sealed partial class Peer
{
    /// <summary>Stores everything that an action needs; answers the action's digest.</summary>
    public async Task<WireDigest> StoreAsync(ActionDraft draft)
    {
        draft.Action.Platform ??= WirePlatform();
        var root = Blob.Of(draft.Root);
        var command = Blob.Of(draft.Command);
        draft.Action.InputRootDigest ??= root.Digest;
        draft.Action.CommandDigest ??= command.Digest;
        var action = Blob.Of(draft.Action);
        await StoreAsync([.. draft.Inputs, root, command, action]);
        return action.Digest;
    }

    public WirePlatform WirePlatform()
    {
        var platform = new WirePlatform();
        platform.Properties.AddRange(_connection.Platform.Select(property => new WirePlatform.Types.Property { Name = property.Name, Value = property.Value }));
        return platform;
    }

    public AsyncServerStreamingCall<Operation> Execute(WireDigest action, ExecuteRequest? request = null)
    {
        var whole = request?.Clone() ?? new ExecuteRequest();
        whole.InstanceName = Instance;
        whole.ActionDigest = action;
        return Execution.Execute(whole);
    }

    /// <summary>Runs it to its end.</summary>
    public async Task<Run> RunAsync(ActionDraft draft)
    {
        var action = await StoreAsync(draft);
        return await RunAsync(action, draft.Request);
    }

    public async Task<Run> RunAsync(WireDigest action, ExecuteRequest? request = null)
    {
        using var call = Execute(action, request);
        return new Run(action, await AllAsync(call));
    }

    /// <summary>Runs it where actions are run; elsewhere it is not offered.</summary>
    public async Task<Run> RunOfferedAsync(ActionDraft draft)
    {
        await RequireExecutionAsync();
        return await RunAsync(draft);
    }

    /// <summary>Of nodes; one that is not announced is not offered.</summary>
    public async Task RequirePropertyAsync(string name)
    {
        await RequireExecutionAsync();
        if (!(await CapabilitiesAsync()).ExecutionCapabilities.SupportedNodeProperties.Contains(name)) throw new NotOfferedException($"{name} is not announced");
    }

    public async Task<IReadOnlyList<Operation>> AllAsync(AsyncServerStreamingCall<Operation> call)
    {
        var updates = new List<Operation>();
        await foreach (var update in call.ResponseStream.ReadAllAsync(Deadline)) updates.Add(update);
        return updates.Count > 0 ? updates : throw new RpcException(new Status(StatusCode.DataLoss, "the stream ended without an operation"));
    }

    /// <summary>Up to the first update that has got this far; null when the stream ends before.</summary>
    public async Task<Operation?> UntilAsync(AsyncServerStreamingCall<Operation> call, Func<Operation, bool> isReached)
    {
        while (await call.ResponseStream.MoveNext(Deadline))
        {
            if (isReached(call.ResponseStream.Current)) return call.ResponseStream.Current;
        }

        return null;
    }

    public Task<Operation?> UntilExecutingAsync(AsyncServerStreamingCall<Operation> call) =>
        UntilAsync(call, operation => operation.Done || Run.MetadataOf(operation).Stage == ExecutionStage.Types.Value.Executing);

    public async Task<ActionResult> ResultAsync(WireDigest action, Action<GetActionResultRequest>? change = null)
    {
        var request = new GetActionResultRequest { InstanceName = Instance, ActionDigest = action };
        change?.Invoke(request);
        return await Results.GetActionResultAsync(request);
    }

    public async Task<ActionResult> PutResultAsync(WireDigest action, ActionResult result) =>
        await Results.UpdateActionResultAsync(new UpdateActionResultRequest { InstanceName = Instance, ActionDigest = action, ActionResult = result });

    /// <summary>Type and subject of each violation in the details of a failure.</summary>
    public static IReadOnlyList<string> Violations(RpcException failure) => Violations(failure.ToStatus());

    public static IReadOnlyList<string> Violations(RpcStatus status) =>
    [
        .. status.Details.Where(detail => detail.Is(Google.Rpc.PreconditionFailure.Descriptor))
            .SelectMany(detail => detail.Unpack<Google.Rpc.PreconditionFailure>().Violations)
            .Select(violation => $"{violation.Type} {violation.Subject}"),
    ];

    /// <summary>Text of an output, by its path.</summary>
    public async Task<string> OutputAsync(ActionResult result, string path) =>
        result.OutputFiles.FirstOrDefault(file => file.Path == path) is { } output
            ? System.Text.Encoding.UTF8.GetString(await ReadAsync(output.Digest))
            : $"no output {path}";

    /// <summary>What the command wrote, inlined or not.</summary>
    public async Task<string> StdoutAsync(ActionResult result) => System.Text.Encoding.UTF8.GetString(
        result.StdoutDigest is { SizeBytes: > 0 } digest ? await ReadAsync(digest) : result.StdoutRaw.ToByteArray());
}
