using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Google.Protobuf;
using RemoteExec.Client;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Cli;

/// <summary>The steps of <c>rexec run</c>: upload, execute, show output as it comes and then what is missing of it, fetch results.</summary>
internal sealed class RemoteRun(RemoteServer remote, CliConsole console) : IAsyncDisposable
{
    private const DigestFunction Function = DigestFunction.Sha256;

    private readonly IBlobStore _blobs = remote.OpenStore();
    private readonly LiveOutput _stdout = new(remote.Channel.CreateCallInvoker(), console.Output);
    private readonly LiveOutput _stderr = new(remote.Channel.CreateCallInvoker(), console.Error);
    private ExecutionStage.Types.Value _stage;
    private string _operation = "";
    private string _stdoutName = "";
    private string _stderrName = "";

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
        var response = await follower.ExecuteAsync(action.Action, command.SkipCacheLookup, command.Priority, Watch, cancellationToken);
        var result = response.Result ?? new ActionResult();
        await ShowAsync(result.StdoutRaw, result.StdoutDigest, await _stdout.FinishAsync(_stdoutName), console.Output, cancellationToken);
        await ShowAsync(result.StderrRaw, result.StderrDigest, await _stderr.FinishAsync(_stderrName), console.Error, cancellationToken);
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

    public async ValueTask DisposeAsync()
    {
        await _stdout.DisposeAsync();
        await _stderr.DisposeAsync();
    }

    private void Watch(Operation operation)
    {
        // Another operation has other streams, or none: what was shown of this one's predecessor is not in its result.
        if (operation.Name != _operation) (_operation, _stdoutName, _stderrName) = (operation.Name, "", "");
        if (operation.Metadata is null || !operation.Metadata.TryUnpack(out ExecuteOperationMetadata metadata)) return;

        ShowStage(metadata.Stage);
        string before = _stdoutName;
        if (metadata.StdoutStreamName.Length > 0) _stdoutName = metadata.StdoutStreamName;
        if (metadata.StderrStreamName.Length > 0) _stderrName = metadata.StderrStreamName;
        if (before.Length > 0 && before != _stdoutName && _stdout.ShownBytes + _stderr.ShownBytes > 0)
            console.Say("rexec: the worker was lost, the command runs again: its output starts from the beginning");
        if (operation.Done) return;

        _stdout.Follow(_stdoutName);
        _stderr.Follow(_stderrName);
    }

    private void ShowStage(ExecutionStage.Types.Value stage)
    {
        if (stage == _stage) return;

        _stage = stage;
        Progress(_stage.ToString().ToLowerInvariant());
    }

    /// <summary>What was shown live is the beginning of this stream; the rest follows.</summary>
    private async ValueTask ShowAsync(ByteString raw, WireDigest? digest, long shownBytes, Stream to, CancellationToken cancellationToken)
    {
        if (raw.Length > shownBytes)
            await to.WriteAsync(raw.Memory[(int)shownBytes..], cancellationToken);
        else if (digest is not null && digest.SizeBytes > shownBytes)
        {
            await using var rest = await _blobs.OpenReadAsync(WireDigests.FromWire(digest, Function, "output digest"), shownBytes, cancellationToken);
            if (rest is not null) await rest.ReadToAsync(to, hasher: null, cancellationToken);
        }

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
