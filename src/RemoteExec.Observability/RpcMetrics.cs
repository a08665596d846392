using System.Diagnostics.Metrics;
using RemoteExec.Rpc;

namespace RemoteExec.Observability;

/// <summary>Counts and times every call that the gRPC port answers.</summary>
public sealed class RpcMetrics : IRpcObserver, IDisposable
{
    private readonly Meter _meter = new("RemoteExec.Rpc");
    private readonly Counter<long> _requests;
    private readonly Histogram<double> _seconds;
    private readonly UpDownCounter<long> _inFlight;
    private readonly Counter<long> _bytes;

    public RpcMetrics()
    {
        _requests = _meter.CreateCounter<long>("remoteexec_rpc_server_requests_total", null, "Finished calls by method and gRPC status code.");
        // From an empty call on loopback to a stream of hours.
        _seconds = _meter.CreateHistogram("remoteexec_rpc_server_seconds", null, "Duration of finished calls.", null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10, 60, 600] });
        _inFlight = _meter.CreateUpDownCounter<long>("remoteexec_rpc_server_in_flight", null, "Calls being answered.");
        _bytes = _meter.CreateCounter<long>("remoteexec_rpc_server_bytes_total", null, "Message bytes by method and direction.");
    }

    public void CallStarted(string method) => _inFlight.Add(1, new KeyValuePair<string, object?>("method", method));

    public void CallFinished(in RpcCallReport report)
    {
        var method = new KeyValuePair<string, object?>("method", report.Method);
        _inFlight.Add(-1, method);
        _requests.Add(1, method, new KeyValuePair<string, object?>("code", report.StatusCode.ToString()));
        _seconds.Record(report.Duration.TotalSeconds, method);
        if (report.ReceivedBytes > 0)
            _bytes.Add(report.ReceivedBytes, method, new KeyValuePair<string, object?>("direction", "received"));
        if (report.SentBytes > 0)
            _bytes.Add(report.SentBytes, method, new KeyValuePair<string, object?>("direction", "sent"));
    }

    public void Dispose() => _meter.Dispose();
}
