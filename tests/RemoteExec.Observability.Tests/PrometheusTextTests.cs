using System.Diagnostics.Metrics;
using NUnit.Framework;

namespace RemoteExec.Observability.Tests;

public sealed class PrometheusTextTests
{
    private string _meterName = "";
    private Meter _meter = null!;
    private MetricsRegistry _registry = null!;

    [SetUp]
    public void StartRegistry()
    {
        _meterName = $"RemoteExec.Test{Guid.NewGuid():N}";
        _meter = new Meter(_meterName);
        _registry = new MetricsRegistry();
    }

    [TearDown]
    public void StopRegistry()
    {
        _registry.Dispose();
        _meter.Dispose();
    }

    [Test]
    public void A_counter_prints_help_type_and_its_labels()
    {
        var counter = _meter.CreateCounter<long>("remoteexec_test_total", null, "What it counts.");
        counter.Add(2, new KeyValuePair<string, object?>("result", "hit"));
        counter.Add(1, new KeyValuePair<string, object?>("result", "hit"));

        Assert.That(_registry.Render(), Does.Contain("""
            # HELP remoteexec_test_total What it counts.
            # TYPE remoteexec_test_total counter
            remoteexec_test_total{result="hit"} 3

            """.ReplaceLineEndings("\n")));
    }

    [Test]
    public void A_histogram_prints_cumulative_buckets_that_end_in_plus_infinity()
    {
        var histogram = _meter.CreateHistogram("remoteexec_test_seconds", null, "How long.", null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.5, 1] });
        histogram.Record(0.25);
        histogram.Record(0.75);
        histogram.Record(8);

        string text = _registry.Render();
        Assert.That(text, Does.Contain("remoteexec_test_seconds_bucket{le=\"0.5\"} 1\n"));
        Assert.That(text, Does.Contain("remoteexec_test_seconds_bucket{le=\"1\"} 2\n"));
        Assert.That(text, Does.Contain("remoteexec_test_seconds_bucket{le=\"+Inf\"} 3\n"));
        Assert.That(text, Does.Contain("remoteexec_test_seconds_sum 9\n"));
        Assert.That(text, Does.Contain("remoteexec_test_seconds_count 3\n"));
    }

    [Test]
    public void Hostile_label_values_are_escaped()
    {
        _meter.CreateObservableGauge("remoteexec_test_workers",
            () => new Measurement<int>(1, new KeyValuePair<string, object?>("pool", "a\"b\\c\nd")), null, "By pool.");

        Assert.That(_registry.Render(), Does.Contain("""remoteexec_test_workers{pool="a\"b\\c\nd"} 1""" + "\n"));
    }

    [Test]
    public void Every_scrape_shows_the_values_of_its_own_moment()
    {
        long value = 1;
        _meter.CreateObservableGauge("remoteexec_test_depth", () => value, null, "Depth.");

        Assert.That(_registry.Render(), Does.Contain("remoteexec_test_depth 1\n"));
        value = 2;
        Assert.That(_registry.Render(), Does.Contain("remoteexec_test_depth 2\n"));
    }

    [Test]
    public void A_series_that_is_no_longer_observed_leaves_the_page()
    {
        string state = "joining";
        _meter.CreateObservableGauge("remoteexec_test_states",
            () => new[] { new Measurement<int>(1, new KeyValuePair<string, object?>("state", state)) }, null, "By state.");
        _ = _registry.Render();

        state = "ready";

        string text = _registry.Render();
        Assert.That(text, Does.Contain("remoteexec_test_states{state=\"ready\"} 1\n"));
        Assert.That(text, Does.Not.Contain("joining"));
    }
}
