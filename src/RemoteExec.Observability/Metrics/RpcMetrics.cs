using Grpc.Core;
using Prometheus;
using RemoteExec.Rpc;

namespace RemoteExec.Observability;

/// <summary>Counts and times every call that the gRPC port answers.</summary>
internal sealed class RpcMetrics : IRpcObserver
{
    private readonly Counter _requests;
    private readonly Histogram _seconds;
    private readonly Gauge _inFlight;
    private readonly Counter _bytes;
    private readonly HeldChildren<string, MethodSeries> _methods;

    public RpcMetrics(Instruments instruments)
    {
        _requests = instruments.Counter("remoteexec_rpc_server_requests_total", "Finished calls by method and gRPC status code.", "method", "code");
        _seconds = instruments.Histogram(
            "remoteexec_rpc_server_seconds", "Duration of finished calls.",
            // From an empty call on loopback to a stream of hours.
            [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10, 60, 600], "method");
        _inFlight = instruments.Gauge("remoteexec_rpc_server_in_flight", "Calls being answered.", "method");
        _bytes = instruments.Counter("remoteexec_rpc_server_bytes_total", "Message bytes by method and direction.", "method", "direction");
        _methods = new HeldChildren<string, MethodSeries>(method => new MethodSeries(this, method));
    }

    public void CallStarted(string method) => _methods[method].InFlight.Inc();

    public void CallFinished(in RpcCallReport report)
    {
        var series = _methods[report.Method];
        series.InFlight.Dec();
        series.Requests[report.StatusCode].Inc();
        series.Seconds.Observe(report.Duration.TotalSeconds);
        series.Received.Inc(report.ReceivedBytes);
        series.Sent.Inc(report.SentBytes);
    }

    private sealed class MethodSeries(RpcMetrics all, string method)
    {
        public Gauge.Child InFlight { get; } = all._inFlight.WithLabels(method);

        public Histogram.Child Seconds { get; } = all._seconds.WithLabels(method);

        public Counter.Child Received { get; } = all._bytes.WithLabels(method, "received");

        public Counter.Child Sent { get; } = all._bytes.WithLabels(method, "sent");

        public HeldChildren<StatusCode, Counter.Child> Requests { get; } = new(code => all._requests.WithLabels(method, code.ToString()));
    }
}
