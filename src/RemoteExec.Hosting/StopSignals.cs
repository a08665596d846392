using System.Runtime.InteropServices;

namespace RemoteExec.Hosting;

/// <summary>
/// SIGTERM and SIGINT. The first asks the program to end in order. The second is impatience: the system ends the process, and
/// nothing acknowledged is lost by it.
/// </summary>
public sealed class StopSignals : IDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly PosixSignalRegistration _terminate;
    private readonly PosixSignalRegistration _interrupt;

    public StopSignals()
    {
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Take);
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Take);
    }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Stopping => _stopping.Token;

    /// <summary>How a program exits that the first signal broke off.</summary>
    public int ExitCode { get; private set; } = Hosting.ExitCode.Interrupted;

    public void Dispose()
    {
        _terminate.Dispose();
        _interrupt.Dispose();
        _stopping.Dispose();
    }

    private void Take(PosixSignalContext signal)
    {
        if (_stopping.IsCancellationRequested) return;

        if (signal.Signal == PosixSignal.SIGTERM) ExitCode = Hosting.ExitCode.Terminated;
        signal.Cancel = true;
        _stopping.Cancel();
    }
}
