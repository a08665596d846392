using System.Runtime.ExceptionServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace RemoteExec.Hosting;

/// <summary>What one run of a program gives to everything in it.</summary>
public sealed class ProgramRun : IDisposable
{
    private readonly StopSignals _signals;
    private readonly TimeSpan _drainMax;
    private readonly CancellationTokenSource _failed = new();
    private ExceptionDispatchInfo? _failure;

    internal ProgramRun(StopSignals signals, TimeSpan drainMax, ILoggerProvider logProvider, ILoggerFactory logs, TimeProvider time)
    {
        _signals = signals;
        _drainMax = drainMax;
        LogProvider = logProvider;
        Logs = logs;
        Time = time;
    }

    public ILoggerProvider LogProvider { get; }

    public ILoggerFactory Logs { get; }

    public TimeProvider Time { get; }

    /// <summary>Gives a host its work, and what every program has: the log, the signals, the time to drain, a service manager that is told of its life.</summary>
    public void AddTo(IHostApplicationBuilder builder, IProgramWork work)
    {
        builder.Services.AddSingleton(Logs);
        builder.Services.AddSingleton<IHostLifetime>(services => new ProgramLifetime(
            [_signals.Stopping, _failed.Token], services.GetRequiredService<IHostApplicationLifetime>(), new ServiceManager(_drainMax), Time));
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = _drainMax);
        builder.Services.AddHostedService(_ => new ProgramService(work, this));
    }

    public void Dispose() => _failed.Dispose();

    /// <summary>The program cannot go on: it stops in order and ends with this failure.</summary>
    internal void Fail(Exception failure)
    {
        _failure ??= ExceptionDispatchInfo.Capture(failure);
        _failed.Cancel();
    }

    internal void ThrowIfFailed() => _failure?.Throw();
}
