using System.Runtime.ExceptionServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace RemoteExec.Hosting;

/// <summary>One run of a program, and what it gives to everything in it.</summary>
public sealed class ProgramRun : IDisposable
{
    private readonly TimeSpan _drainMax;
    private readonly TextWriter _output;
    private readonly CancellationTokenSource _ending;
    private ExceptionDispatchInfo? _failure;

    /// <param name="drainMax">How long the end may take, all of it.</param>
    /// <param name="output">Where a person reads what is ready.</param>
    /// <param name="stopping">Asks it to end.</param>
    /// <param name="hurrying">Asks it, when it ends already, to wait for nobody any more.</param>
    public ProgramRun(ILoggerFactory logs, TimeProvider time, TimeSpan drainMax, TextWriter output, CancellationToken stopping, CancellationToken hurrying)
    {
        (Logs, Time, _drainMax, _output, Hurrying) = (logs, time, drainMax, output, hurrying);
        _ending = CancellationTokenSource.CreateLinkedTokenSource(stopping);
    }

    public ILoggerFactory Logs { get; }

    public TimeProvider Time { get; }

    /// <summary>Somebody has lost patience with the drain.</summary>
    public CancellationToken Hurrying { get; }

    /// <summary>Gives a host its work, and what every program has: the log, its end, the time to drain, a service manager that is told of its life.</summary>
    public void AddTo(IHostApplicationBuilder builder, IProgramWork work)
    {
        builder.Services.AddSingleton(Logs);
        builder.Services.AddSingleton<IHostLifetime>(services => new ProgramLifetime(
            services.GetRequiredService<IHostApplicationLifetime>(), new ServiceManager(_drainMax), Time, _ending.Token));
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = _drainMax);
        builder.Services.AddHostedService(_ => new ProgramService(work, this, _output));
    }

    /// <summary>Shows why the work ended by itself, if it did.</summary>
    public void ThrowIfFailed() => _failure?.Throw();

    public void Dispose() => _ending.Dispose();

    /// <summary>The program cannot go on: it stops in order and ends with this failure.</summary>
    internal void Fail(Exception failure)
    {
        _failure = ExceptionDispatchInfo.Capture(failure);
        _ending.Cancel();
    }
}
