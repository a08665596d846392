using Microsoft.Extensions.Hosting;

namespace RemoteExec.Hosting;

/// <summary>When a host ends, and who is told of its life.</summary>
internal sealed class ProgramLifetime(IHostApplicationLifetime application, ServiceManager manager, TimeProvider time, CancellationToken ending)
    : IHostLifetime, IDisposable
{
    private readonly List<IDisposable> _registrations = [];

    public Task WaitForStartAsync(CancellationToken cancellationToken)
    {
        _registrations.Add(ending.Register(application.StopApplication));
        _registrations.Add(application.ApplicationStarted.Register(() => _registrations.Add(manager.Ready(time))));
        _registrations.Add(application.ApplicationStopping.Register(manager.Stopping));
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _registrations.ForEach(registration => registration.Dispose());
}
