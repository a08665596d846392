using System.Runtime.InteropServices;

namespace RemoteExec.Hosting;

/// <summary>
/// SIGTERM and SIGINT. The first asks the program to end in order. The second is impatience: the system ends the process, and
/// nothing acknowledged is lost by it. Where the program has asked to <see cref="Hurry"/>, the second asks it to, and the system comes with the third.
/// </summary>
public sealed class StopSignals : IDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationTokenSource _hurrying = new();
    private volatile bool _mayHurry;
    private readonly PosixSignalRegistration _terminate;
    private readonly PosixSignalRegistration _interrupt;

    public StopSignals()
    {
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Take);
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Take);
    }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Stopping => _stopping.Token;

    /// <summary>For a program that still owes others a word: cancelled by the second signal.</summary>
    public CancellationToken Hurry()
    {
        _mayHurry = true;
        return _hurrying.Token;
    }

    /// <summary>How a program exits that the first signal broke off.</summary>
    public int ExitCode { get; private set; } = Hosting.ExitCode.Interrupted;

    public void Dispose()
    {
        _terminate.Dispose();
        _interrupt.Dispose();
        _stopping.Dispose();
        _hurrying.Dispose();
    }

    private void Take(PosixSignalContext signal)
    {
        if (_stopping.IsCancellationRequested)
        {
            if (!_mayHurry || _hurrying.IsCancellationRequested) return;

            signal.Cancel = true;
            _hurrying.Cancel();
            return;
        }

        if (signal.Signal == PosixSignal.SIGTERM) ExitCode = Hosting.ExitCode.Terminated;
        signal.Cancel = true;
        _stopping.Cancel();
    }
}
