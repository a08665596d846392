namespace RemoteExec.EndToEnd;

/// <summary>A Bazel command that is under way.</summary>
internal sealed class BazelRun : IAsyncDisposable
{
    private readonly ChildProcess _process;
    private readonly string _commandLine;

    public BazelRun(ChildProcess process, string commandLine, TimeSpan limit)
    {
        _process = process;
        _commandLine = commandLine;
        Result = FinishAsync(limit);
    }

    public Task<BazelResult> Result { get; }

    /// <summary>
    /// Completes when Bazel has begun this many actions. It begins one only when one of its <c>--jobs</c>
    /// is free, so all but that many of them are finished by then: the middle of a build, as an event.
    /// </summary>
    public Task ActionsStartedAsync(int count) => _process.Output.WaitForAsync(
        $"it had started {count} actions", IsStartOfAction, count, default);

    /// <summary>What a user's Ctrl-C does.</summary>
    public void Interrupt() => _process.Interrupt();

    public ValueTask DisposeAsync() => _process.DisposeAsync();

    /// <summary>Under <c>--subcommands</c> Bazel prints this before it hands an action to its runner.</summary>
    private static bool IsStartOfAction(string line) => line.StartsWith("SUBCOMMAND: ", StringComparison.Ordinal);

    private async Task<BazelResult> FinishAsync(TimeSpan limit)
    {
        try
        {
            int exitCode = await _process.Exited.WaitAsync(limit);
            return new BazelResult(_commandLine, exitCode, _process.Output.ToString(), _process.StandardOutput.ToString());
        }
        catch (TimeoutException)
        {
            // The third interrupt makes Bazel drop everything; its server stays for the next command.
            for (int i = 0; i < 3; i++) _process.Interrupt();
            throw new TimeoutException(
                $"{_commandLine}\nhas not ended in {limit.TotalSeconds:0} s; its last lines:\n{_process.Output.Tail(60)}");
        }
    }
}
