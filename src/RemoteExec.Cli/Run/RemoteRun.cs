using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Grpc.Core;
using RemoteExec.Client;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Cli;

/// <summary>
/// The steps of <c>rexec run</c>: upload, execute, show output as it comes and then what is missing of it, fetch results. Who leaves in
/// the middle takes the command along.
/// </summary>
internal sealed class RemoteRun : IAsyncDisposable
{
    private const DigestFunction Function = DigestFunction.Sha256;

    // A server that is restarted is back in seconds; a minute is what the follower of an execution waits, too.
    private static readonly TimeSpan OutageMax = TimeSpan.FromSeconds(60);

    // Somebody waits for the prompt.
    private static readonly TimeSpan CancelMax = TimeSpan.FromSeconds(2);

    private readonly RemoteServer _remote;
    private readonly CliConsole _console;
    private readonly CallInvoker _invoker;
    private readonly IBlobStore _blobs;
    private readonly RunOutput _stdout;
    private readonly RunOutput _stderr;
    private ExecutionStage.Types.Value _stage;
    private string _operation = "";
    private bool _isDone;

    /// <param name="isOutputData">The command's output is our output; otherwise it is talk, beside an answer of ours.</param>
    public RemoteRun(RemoteServer remote, CliConsole console, bool isOutputData)
    {
        (_remote, _console, _blobs, _invoker) = (remote, console, remote.OpenStore(OutageMax), remote.Channel.CreateCallInvoker());
        _stdout = new RunOutput("standard output", _invoker, _blobs, isOutputData ? console.Output : console.Error, isOutputData);
        _stderr = new RunOutput("standard error", _invoker, _blobs, console.Error, isData: false);
    }

    public async Task<RunOutcome> RunAsync(
        RemoteCommand command, InputSources sources, string into, ServerCapabilities? capabilities, CancellationToken cancellationToken)
    {
        bool allowsAbsolute = capabilities?.CacheCapabilities?.SymlinkAbsolutePathStrategy == SymlinkAbsolutePathStrategy.Types.Value.Allowed;
        var inputs = await InputTreeBuilder.BuildAsync(sources with { AllowAbsoluteLinks = allowsAbsolute }, Function, cancellationToken);
        var action = PreparedAction.Create(command, inputs);
        await UploadAsync(action, cancellationToken);
        var response = await ExecuteAsync(action.Action, command, cancellationToken);
        var result = response.Result ?? new ActionResult();
        var losses = new[]
        {
            await _stdout.FinishAsync(result.StdoutRaw, result.StdoutDigest, DroppedOutput.OfStdout(result), Function, cancellationToken),
            await _stderr.FinishAsync(result.StderrRaw, result.StderrDigest, DroppedOutput.OfStderr(result), Function, cancellationToken),
        };
        if (MissingProgram.In(response.Status) is { } missing) return Tell(Outcome(action, response) with { ExitCode = MissingProgram.ExitCode, Losses = [missing] });
        // Partial output was worth showing; the failure is what counts.
        if (response.Status is { Code: not 0 } status) throw status.ToException();

        int files = await FetchAsync(result, into, cancellationToken);
        return Tell(Outcome(action, response) with
        {
            Losses = [.. losses.OfType<string>()],
            Missing = [.. command.OutputPaths.Where(path => !IsIn(result, path))],
            Files = files,
        });
    }

    public async ValueTask DisposeAsync()
    {
        await _stdout.DisposeAsync();
        await _stderr.DisposeAsync();
    }

    private async Task UploadAsync(PreparedAction action, CancellationToken cancellationToken)
    {
        var sent = await TransferBar.ShowAsync(_console, "sending", bar =>
            new BlobUploader(_blobs) { Planned = plan => bar.Plan(plan.Bytes), Moved = bar.Add }.UploadAsync(action.Blobs, cancellationToken));
        _console.Progress($"sent {sent.Blobs} of {action.Blobs.Count} blobs, {Core.UnitText.FormatSize(sent.Bytes)}");
    }

    private async Task<ExecuteResponse> ExecuteAsync(Digest action, RemoteCommand command, CancellationToken cancellationToken)
    {
        var follower = new ExecutionFollower(_invoker, _remote.Instance.ToString(), TimeProvider.System)
        {
            Lost = _ => _console.Say("rexec: the connection to the server was lost while the command ran; trying for a minute to find both again"),
            Found = () => _console.Say("rexec: the server is back"),
        };
        try
        {
            return await follower.ExecuteAsync(action, command.SkipCacheLookup, command.Priority, Watch, cancellationToken);
        }
        catch (Exception left) when (cancellationToken.IsCancellationRequested && left is OperationCanceledException or RpcException)
        {
            await CancelAsync();
            throw new OperationCanceledException("the run was interrupted", left, cancellationToken);
        }
    }

    /// <summary>By name, because closing the stream may look like a lost connection, after which a server waits for us.</summary>
    private async Task CancelAsync()
    {
        if (_operation.Length == 0 || _isDone) return;

        _console.Say("rexec: cancelling the command on the server; Ctrl-C again leaves at once");
        try
        {
            await new Operations.OperationsClient(_invoker).CancelOperationAsync(
                new CancelOperationRequest { Name = _operation }, new CallOptions(deadline: TimeProvider.System.GetUtcNow().UtcDateTime + CancelMax));
        }
        catch (RpcException over) when (over.StatusCode == StatusCode.NotFound)
        {
            // It ended meanwhile, or closing the stream was enough.
        }
        catch (RpcException failure)
        {
            _console.Say($"rexec: the server could not be told ({Failures.Of(failure, _remote.Name).Sentence}); the command may still run there");
        }
    }

    private Task<int> FetchAsync(ActionResult result, string into, CancellationToken cancellationToken)
    {
        long bytes = result.OutputFiles.Sum(file => file.Digest?.SizeBytes ?? 0);
        return bytes == 0 && result.OutputDirectories.Count == 0
            ? new OutputFetcher(_blobs, Function).FetchAsync(result, into, cancellationToken)
            : TransferBar.ShowAsync(_console, "fetching", bar =>
            {
                // What a folder holds is known when its Tree has come.
                if (result.OutputDirectories.Count == 0) bar.Plan(bytes);
                return new OutputFetcher(_blobs, Function) { Moved = bar.Add }.FetchAsync(result, into, cancellationToken);
            });
    }

    private RunOutcome Outcome(PreparedAction action, ExecuteResponse response) => new()
    {
        Action = action.Action,
        Operation = _operation,
        ExitCode = response.Result?.ExitCode ?? 0,
        Response = response,
        Missing = [],
        Losses = [],
        Files = 0,
    };

    private RunOutcome Tell(RunOutcome outcome)
    {
        foreach (string path in outcome.Missing) _console.Say($"the command did not write {path}");
        foreach (string loss in outcome.Losses) _console.Say(loss);
        var result = outcome.Result;
        _console.Progress($"exit {outcome.ExitCode} on {result.ExecutionMetadata?.Worker}{(outcome.Response.CachedResult ? " (cached result)" : "")}, {outcome.Files} files fetched");
        if (outcome.ExitCode != 0 && outcome.ExitCode == result.ExitCode) _console.Say(outcome.FailureText());
        return outcome;
    }

    private void Watch(Operation operation)
    {
        if (operation.Name != _operation)
        {
            _operation = operation.Name;
            _stdout.Forget();
            _stderr.Forget();
        }

        _isDone = operation.Done;
        if (operation.Metadata is null || !operation.Metadata.TryUnpack(out ExecuteOperationMetadata metadata)) return;

        ShowStage(metadata.Stage);
        if ((_stdout.Rename(metadata.StdoutStreamName) | _stderr.Rename(metadata.StderrStreamName)) && _stdout.ShownBytes + _stderr.ShownBytes > 0)
            _console.Say("rexec: the worker was lost, the command runs again: its output starts from the beginning");
        if (operation.Done) return;

        _stdout.Follow();
        _stderr.Follow();
    }

    private void ShowStage(ExecutionStage.Types.Value stage)
    {
        if (stage == _stage) return;

        _stage = stage;
        _console.Progress(_stage.ToString().ToLowerInvariant());
    }

    private static bool IsIn(ActionResult result, string path) =>
        result.OutputFiles.Any(f => f.Path == path)
        || result.OutputDirectories.Any(d => d.Path == path)
        || result.AllSymlinks().Any(s => s.Path == path);
}
