using Grpc.Core;
using Prometheus;
using RemoteExec.Rpc;

namespace RemoteExec.Observability;

/// <summary>Counts and times every call that the gRPC port answers.</summary>
internal sealed class RpcMetrics : IRpcObserver
{
    private readonly HeldChildren<string, MethodSeries> _methods;

    public RpcMetrics(Instruments instruments)
    {
        var requests = instruments.Counter("remoteexec_rpc_server_requests_total", "Finished calls by method and gRPC status code.", "method", "code");
        var seconds = instruments.Histogram(
            "remoteexec_rpc_server_seconds", "Duration of finished calls.",
            // From an empty call on loopback to a stream of hours.
            [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10, 60, 600], "method");
        var inFlight = instruments.Gauge("remoteexec_rpc_server_in_flight", "Calls being answered.", "method");
        var bytes = instruments.Counter("remoteexec_rpc_server_bytes_total", "Message bytes by method and direction.", "method", "direction");
        _methods = new(method => new MethodSeries(
            inFlight.WithLabels(method), seconds.WithLabels(method), bytes.WithLabels(method, "received"), bytes.WithLabels(method, "sent"),
            new(code => requests.WithLabels(method, code.ToString()))));
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

    private sealed record MethodSeries(
        Gauge.Child InFlight, Histogram.Child Seconds, Counter.Child Received, Counter.Child Sent, HeldChildren<StatusCode, Counter.Child> Requests);
}
