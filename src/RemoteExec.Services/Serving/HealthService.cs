using System.Threading.Channels;
using Grpc.Core;
using Grpc.Health.V1;
using static Grpc.Health.V1.HealthCheckResponse.Types;

namespace RemoteExec.Services;

/// <summary>grpc.health.v1: one status per service name, the empty name being the server as a whole.</summary>
public sealed class HealthService : Health.HealthBase
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, ServingStatus> _statuses = new(StringComparer.Ordinal);
    private readonly HashSet<Channel<bool>> _watchers = [];
    private bool _isLeaving;

    /// <param name="services">Full names of the services that this server offers; all start as not serving.</param>
    public HealthService(IEnumerable<string> services)
    {
        _statuses[""] = ServingStatus.NotServing;
        foreach (string service in services)
            _statuses[service] = ServingStatus.NotServing;
    }

    /// <summary>Sets the status of the server and of every service in it.</summary>
    public void SetServing(bool isServing)
    {
        lock (_lock)
        {
            foreach (string service in _statuses.Keys)
                _statuses[service] = isServing ? ServingStatus.Serving : ServingStatus.NotServing;
            foreach (var watcher in _watchers)
                watcher.Writer.TryWrite(true);
        }
    }

    /// <summary>Ends every watch, present and future, after it has told the present status: an open stream would hold up a drain.</summary>
    public void EndWatches()
    {
        lock (_lock)
        {
            _isLeaving = true;
            foreach (var watcher in _watchers)
                watcher.Writer.TryComplete();
        }
    }

    public override Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context) =>
        StatusOf(request.Service) is { } status
            ? Task.FromResult(new HealthCheckResponse { Status = status })
            : throw new RpcException(new Status(StatusCode.NotFound, $"no service '{request.Service}' here"));

    public override Task<HealthListResponse> List(HealthListRequest request, ServerCallContext context)
    {
        var response = new HealthListResponse();
        lock (_lock)
        {
            foreach (var (service, status) in _statuses)
                response.Statuses[service] = new HealthCheckResponse { Status = status };
        }

        return Task.FromResult(response);
    }

    public override async Task Watch(
        HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        // One slot: a watcher wants the present status, not the history.
        var changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        lock (_lock)
        {
            _watchers.Add(changes);
            if (_isLeaving) changes.Writer.TryComplete();
        }

        try
        {
            ServingStatus? last = null;
            do
            {
                changes.Reader.TryRead(out _);
                // An unknown service may appear later, so it is a status and not an error (health.proto, Watch).
                var status = StatusOf(request.Service) ?? ServingStatus.ServiceUnknown;
                if (status == last) continue;

                last = status;
                await responseStream.WriteAsync(new HealthCheckResponse { Status = status });
            }
            while (await changes.Reader.WaitToReadAsync(context.CancellationToken));
        }
        finally
        {
            lock (_lock) _watchers.Remove(changes);
        }
    }

    private ServingStatus? StatusOf(string service)
    {
        lock (_lock) return _statuses.TryGetValue(service, out var status) ? status : null;
    }
}
