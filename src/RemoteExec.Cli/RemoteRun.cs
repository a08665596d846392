using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Google.Protobuf;
using Grpc.Core;
using RemoteExec.Client;
using RemoteExec.Protocol;
using RemoteExec.Storage;
using DigestFunction = RemoteExec.Core.DigestFunction;
using WireDigest = Build.Bazel.Remote.Execution.V2.Digest;

namespace RemoteExec.Cli;

/// <summary>The steps of <c>rexec run</c>: upload, execute, show output, fetch results.</summary>
internal sealed class RemoteRun(RemoteServer remote, CliConsole console)
{
    private const DigestFunction Function = DigestFunction.Sha256;

    private readonly IBlobStore _blobs = remote.OpenStore();
    private ExecutionStage.Types.Value _stage;

    /// <summary>Answers the command's exit code.</summary>
    public async Task<int> RunAsync(RemoteCommand command, string? inputFolder, string into, CancellationToken cancellationToken)
    {
        var inputs = inputFolder is null
            ? InputTreeBuilder.Empty(Function)
            : await InputTreeBuilder.BuildAsync(inputFolder, Function, cancellationToken);
        var action = PreparedAction.Create(command, inputs);
        var sent = await new BlobUploader(_blobs).UploadAsync(action.Blobs, cancellationToken);
        Progress($"sent {sent.Blobs} of {action.Blobs.Count} blobs, {sent.Bytes} bytes");

        var follower = new ExecutionFollower(remote.Channel.CreateCallInvoker(), remote.Instance.ToString(), TimeProvider.System);
        var response = await follower.ExecuteAsync(action.Action, command.SkipCacheLookup, command.Priority, ShowStage, cancellationToken);
        var result = response.Result ?? new ActionResult();
        await ShowAsync(result.StdoutRaw, result.StdoutDigest, console.Output, cancellationToken);
        await ShowAsync(result.StderrRaw, result.StderrDigest, console.Error, cancellationToken);
        // Partial output was worth showing; the failure is what counts.
        if (response.Status is { Code: not 0 } status)
            throw status.ToException();

        int files = await new OutputFetcher(_blobs, Function).FetchAsync(result, into, cancellationToken);
        foreach (string path in command.OutputPaths.Where(path => !IsIn(result, path)))
            console.Say($"the command did not write {path}");
        Progress($"exit {result.ExitCode} on {result.ExecutionMetadata?.Worker}{(response.CachedResult ? " (cached result)" : "")}, {files} files fetched");
        if (result.ExitCode != 0)
            console.Say($"the command ended with exit code {result.ExitCode}{(response.Message.Length > 0 ? ": " + response.Message : "")}");
        return result.ExitCode;
    }

    private void ShowStage(Operation operation)
    {
        if (operation.Metadata is null || !operation.Metadata.TryUnpack(out ExecuteOperationMetadata metadata) || metadata.Stage == _stage) return;

        _stage = metadata.Stage;
        Progress(_stage.ToString().ToLowerInvariant());
    }

    private async ValueTask ShowAsync(ByteString raw, WireDigest? digest, Stream to, CancellationToken cancellationToken)
    {
        if (!raw.IsEmpty)
            await to.WriteAsync(raw.Memory, cancellationToken);
        else if (digest is { SizeBytes: > 0 })
            await BlobCopy.ToStreamAsync(_blobs, WireDigests.FromWire(digest, Function, "stdout_digest"), to, cancellationToken);
        await to.FlushAsync(cancellationToken);
    }

    private static bool IsIn(ActionResult result, string path) =>
        result.OutputFiles.Any(f => f.Path == path)
        || result.OutputDirectories.Any(d => d.Path == path)
        || result.OutputSymlinks.Any(s => s.Path == path);

    private void Progress(string message)
    {
        if (!console.IsQuiet)
            console.Say("rexec: " + message);
    }
}
