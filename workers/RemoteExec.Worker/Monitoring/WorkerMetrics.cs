using System.Reflection;
using Prometheus;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>
/// What a worker counts of itself, for <c>--http</c>; times and results of actions are in the server's metrics. The registry is this
/// worker's own: several live in one process of tests.
/// </summary>
internal sealed class WorkerMetrics
{
    private readonly Gauge _inFlight;
    private readonly Counter.Child _reported;
    private readonly Counter.Child _cancelled;

    public WorkerMetrics()
    {
        var factory = Metrics.WithCustomRegistry(Registry);
        // Processor time, memory, descriptors, threads and start of this process, under the names that every client library gives them.
        DotNetStats.Register(Registry);
        _inFlight = factory.CreateGauge("remoteexec_worker_attempts_in_flight", "Leases that are worked on: inputs brought, commands run, outputs taken.");
        var attempts = factory.CreateCounter("remoteexec_worker_attempts_total", "Leases that are over.", "end");
        (_reported, _cancelled) = (attempts.WithLabels("reported"), attempts.WithLabels("cancelled"));
    }

    public CollectorRegistry Registry { get; } = Metrics.NewCustomRegistry();

    /// <summary>What stays as it is while the worker runs, and what is looked up at each scrape.</summary>
    public void Describe(WorkerOptions options, Func<BlobStoreUsage> cache)
    {
        var factory = Metrics.WithCustomRegistry(Registry);
        string version = typeof(WorkerMetrics).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";
        factory.CreateGauge("remoteexec_worker_info", "What runs here.", "worker", "pool", "version").WithLabels(options.WorkerId, options.Pool, version).Set(1);
        factory.CreateGauge("remoteexec_worker_slots", "Commands that may run at the same time.").Set(options.Slots);
        var size = factory.CreateGauge("remoteexec_worker_cache_size_bytes", "Inputs and outputs that are kept.");
        var limit = factory.CreateGauge("remoteexec_worker_cache_limit_bytes", "What may be kept.");
        Registry.AddBeforeCollectCallback(() =>
        {
            var usage = cache();
            size.Set(usage.UsedBytes);
            limit.Set(usage.LimitBytes);
        });
    }

    /// <summary>Counts what a runner runs.</summary>
    public AttemptRunner Watch(AttemptRunner runner) => async (lease, started, cancellationToken) =>
    {
        using var _ = _inFlight.TrackInProgress();
        try
        {
            var finished = await runner(lease, started, cancellationToken);
            (finished.Report is null ? _cancelled : _reported).Inc();
            return finished;
        }
        catch (OperationCanceledException)
        {
            _cancelled.Inc();
            throw;
        }
    };
}
