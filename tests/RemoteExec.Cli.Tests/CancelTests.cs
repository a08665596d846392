using System.Text;
using RemoteExec.Client;

namespace RemoteExec.Cli.Tests;

/// <summary>Who leaves in the middle takes the command along.</summary>
internal sealed class CancelTests : CliFixture
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);

    [Test]
    public async Task A_run_that_is_broken_off_cancels_its_operation_by_name()
    {
        Server.Executions.Then(async (stream, context) =>
        {
            await stream.WriteAsync(ScriptedExecutions.Running(), CancellationToken.None);
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.CancellationToken);
        });
        using var stop = new CancellationTokenSource();
        var messages = new WatchedStream("executing");
        var running = RunAsync(messages, stop.Token);
        await messages.Seen.WaitAsync(Soon);

        await stop.CancelAsync();

        Assert.That(async () => await running, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(await Server.Executions.Cancelled.Task.WaitAsync(Soon), Is.EqualTo(ScriptedExecutions.Name));
        Assert.That(messages.Text, Does.Contain("Ctrl-C again leaves at once"));
    }

    [Test]
    public async Task An_operation_is_cancelled_by_its_verb()
    {
        Assert.That((await RunAsync("cancel", "operations/x")).ExitCode, Is.EqualTo(Done));
        Assert.That(await Server.Executions.Cancelled.Task.WaitAsync(Soon), Is.EqualTo("operations/x"));
    }

    private async Task RunAsync(WatchedStream messages, CancellationToken cancellationToken)
    {
        using var remote = new RemoteServer(new Uri(Server.Address.Replace("grpc:", "http:", StringComparison.Ordinal)), InstanceName.Empty, new Uri("http://127.0.0.1:1"));
        await using var run = new RemoteRun(remote, new CliConsole(Stream.Null, messages) { IsWatched = true }, isOutputData: true);
        await run.RunAsync(new RemoteCommand { Arguments = ["sleep"] }, new InputSources(), Folder.Path, capabilities: null, cancellationToken);
    }

    /// <summary>Knows when a word was written to it.</summary>
    private sealed class WatchedStream(string word) : MemoryStream
    {
        private readonly TaskCompletionSource _seen = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Seen => _seen.Task;

        public string Text => Encoding.UTF8.GetString(ToArray());

        // Spans come here too, of a class that is not MemoryStream itself.
        public override void Write(byte[] buffer, int offset, int count)
        {
            base.Write(buffer, offset, count);
            if (Text.Contains(word, StringComparison.Ordinal)) _seen.TrySetResult();
        }
    }
}
