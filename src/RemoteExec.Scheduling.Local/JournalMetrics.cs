using System.Diagnostics.Metrics;

namespace RemoteExec.Scheduling.Local;

/// <summary>Every number of the journal file. Every client that is told of its action has waited for one of these flushes.</summary>
internal sealed class JournalMetrics : IDisposable
{
    private readonly Meter _meter = new("RemoteExec.Scheduling.Local");
    private readonly Histogram<double> _flushSeconds;

    public JournalMetrics(Func<long> lengthBytes)
    {
        // From a good SSD to a disk that is about to be replaced.
        _flushSeconds = _meter.CreateHistogram("remoteexec_journal_fsync_seconds", null, "Time that one flush of the operation journal took.", null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0001, 0.0005, 0.001, 0.005, 0.02, 0.1, 0.5, 2, 10] });
        _meter.CreateObservableGauge("remoteexec_journal_size_bytes", lengthBytes, null, "Length of the operation journal.");
    }

    public void Flushed(TimeSpan duration) => _flushSeconds.Record(duration.TotalSeconds);

    public void Dispose() => _meter.Dispose();
}
