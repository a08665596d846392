using Microsoft.Extensions.Hosting;

namespace RemoteExec.Hosting;

/// <summary>
/// The work of a program as a part of its host: it begins when everything has started, and drains before anything else
/// (such as a web server that the drain still needs) is stopped.
/// </summary>
internal sealed class ProgramService(IProgramWork work, ProgramRun run, TextWriter output) : IHostedLifecycleService, IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private Task _working = Task.CompletedTask;

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StartedAsync(CancellationToken cancellationToken)
    {
        // Not on standard error: that is the log, where every line is one event.
        await output.WriteLineAsync(work.Welcome);
        _working = WorkAsync();
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _working;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await work.DisposeAsync();
        _stopping.Dispose();
    }

    private async Task WorkAsync()
    {
        try
        {
            await work.RunAsync(_stopping.Token);
        }
        catch (Exception failure)
        {
            run.Fail(failure);
        }
    }
}
