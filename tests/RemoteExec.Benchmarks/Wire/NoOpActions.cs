using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Google.Protobuf;
using RemoteExec.Core;
using RemoteExec.Protocol;
using Action = Build.Bazel.Remote.Execution.V2.Action;
using Digest = RemoteExec.Core.Digest;
using DigestFunction = RemoteExec.Core.DigestFunction;
using Directory = Build.Bazel.Remote.Execution.V2.Directory;

namespace RemoteExec.Benchmarks;

/// <summary>Actions that do nothing, as many different ones as are asked for, uploaded beforehand.</summary>
internal sealed class NoOpActions(GrpcCaller caller)
{
    // A batch is refused above 4 MiB; an action and its command together stay below 1 KiB.
    private const int ActionsPerBatch = 1000;

    private readonly string _run = Guid.NewGuid().ToString("N");

    /// <param name="program">A static program, the only input.</param>
    /// <param name="arguments">What it is called with.</param>
    /// <param name="count">How many; each has another environment, and so another digest.</param>
    /// <param name="cancellationToken">Ends the upload.</param>
    public async Task<IReadOnlyList<Digest>> UploadAsync(
        string program, string[] arguments, int count, CancellationToken cancellationToken)
    {
        byte[] content = await File.ReadAllBytesAsync(program, cancellationToken);
        var root = new Directory
        {
            Files = { new FileNode { Name = "program", IsExecutable = true, Digest = Of(content).ToWire() } },
        };
        await UploadAsync([content, root.ToByteArray()], cancellationToken);

        var actions = new List<Digest>();
        for (int first = 0; first < count; first += ActionsPerBatch)
        {
            var blobs = new List<byte[]>();
            for (int i = first; i < Math.Min(count, first + ActionsPerBatch); i++)
            {
                byte[] command = new Command
                {
                    Arguments = { "./program", arguments },
                    EnvironmentVariables = { new Command.Types.EnvironmentVariable { Name = "RUN", Value = $"{_run}-{i}" } },
                }.ToByteArray();
                byte[] action = new Action
                {
                    CommandDigest = Of(command).ToWire(),
                    InputRootDigest = Of(root.ToByteArray()).ToWire(),
                }.ToByteArray();
                blobs.AddRange([command, action]);
                actions.Add(Of(action));
            }

            await UploadAsync(blobs, cancellationToken);
        }

        return actions;
    }

    public static byte[] ExecuteFrame(Digest action) =>
        GrpcCaller.Frame(new ExecuteRequest { ActionDigest = action.ToWire() });

    /// <summary>Executes to the end; anything but exit code 0 is an error.</summary>
    public async Task<ExecuteResponse> ExecuteAsync(Digest action, CancellationToken cancellationToken)
    {
        ByteString last = ByteString.Empty;
        await caller.ReadAllAsync(Methods.Execute, new ByteArrayContent(ExecuteFrame(action)),
            message => last = ByteString.CopyFrom(message.Span), cancellationToken);

        var operation = Operation.Parser.ParseFrom(last);
        var response = operation.Response?.Unpack<ExecuteResponse>();
        return response is { Result.ExitCode: 0 } && (response.Status?.Code ?? 0) == 0
            ? response
            : throw new InvalidDataException($"the action did not succeed: {operation}");
    }

    private async Task UploadAsync(IEnumerable<byte[]> blobs, CancellationToken cancellationToken)
    {
        var request = new BatchUpdateBlobsRequest();
        foreach (byte[] blob in blobs)
        {
            request.Requests.Add(new BatchUpdateBlobsRequest.Types.Request
            {
                Digest = Of(blob).ToWire(),
                Data = UnsafeByteOperations.UnsafeWrap(blob),
            });
        }

        var reply = await caller.UnaryAsync(Methods.BatchUpdateBlobs, request, BatchUpdateBlobsResponse.Parser, cancellationToken);
        var refused = reply.Responses.FirstOrDefault(each => each.Status.Code != 0);
        if (refused is not null) throw new InvalidDataException($"upload refused: {refused}");
    }

    private static Digest Of(byte[] content) => Digest.Of(DigestFunction.Sha256, content);
}
