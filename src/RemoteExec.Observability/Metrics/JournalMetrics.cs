using Prometheus;
using RemoteExec.Scheduling;

namespace RemoteExec.Observability;

/// <summary>The operation journal. Every client that is told of its action has waited for one of these flushes.</summary>
internal sealed class JournalMetrics(Instruments instruments) : IJournalObserver
{
    private readonly Histogram _flushSeconds = instruments.Histogram(
        "remoteexec_journal_fsync_seconds", "Time that one flush of the operation journal took.", BlobStoreMetrics.FlushSeconds);

    private readonly Gauge _sizeBytes = instruments.Gauge("remoteexec_journal_size_bytes", "Length of the operation journal.");

    public void Flushed(TimeSpan duration) => _flushSeconds.Observe(duration.TotalSeconds);

    public void Show(long lengthBytes) => _sizeBytes.Set(lengthBytes);
}
