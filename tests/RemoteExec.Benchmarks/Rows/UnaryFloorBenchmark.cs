using Google.Protobuf;
using Grpc.Health.V1;

namespace RemoteExec.Benchmarks;

/// <summary>The smallest call there is, against a bare HTTP/2 handler that answers the same bytes: many at once, and one at a time.</summary>
internal sealed class UnaryFloorBenchmark : IBenchmark
{
    private const int InFlight = 64;
    private const int WarmUp = 20_000;
    private const int Requests = 50_000;
    private const int RequestsAlone = 5_000;
    private const int Rounds = 3;

    public string Name => "unary";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        await using var server = await bench.StartServerAsync();
        using var caller = new GrpcCaller(server.GrpcAddress);
        byte[] request = GrpcCaller.Frame(new HealthCheckRequest());
        var answer = await caller.UnaryAsync(Methods.HealthCheck, new HealthCheckRequest(), HealthCheckResponse.Parser, cancellationToken);
        await using var bare = await BareKestrelProcess.StartAsync(bench, GrpcCaller.Frame(answer), "/dev/null", cancellationToken);

        var (ours, floor) = (new List<double>(), new List<double>());
        var (oursAlone, floorAlone) = (new List<double>(), new List<double>());
        await H2Load.RunAsync(bench, server.GrpcAddress, Methods.HealthCheck, request, InFlight, WarmUp);
        await H2Load.RunAsync(bench, bare.Address, Methods.HealthCheck, request, InFlight, WarmUp);
        for (int round = 0; round < Rounds; round++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            floor.Add((await H2Load.RunAsync(bench, bare.Address, Methods.HealthCheck, request, InFlight, Requests)).Rate);
            ours.Add((await H2Load.RunAsync(bench, server.GrpcAddress, Methods.HealthCheck, request, InFlight, Requests)).Rate);
            floorAlone.Add((await H2Load.RunAsync(bench, bare.Address, Methods.HealthCheck, request, 1, RequestsAlone)).Milliseconds);
            oursAlone.Add((await H2Load.RunAsync(bench, server.GrpcAddress, Methods.HealthCheck, request, 1, RequestsAlone)).Milliseconds);
        }

        await server.StopAsync();
        return
        [
            Measurement.Relative("unary floor: rate", Statistics.Median(ours), "calls/s",
                "bare Kestrel", Statistics.Median(floor), Target.AtLeast(0.8)),
            Measurement.Relative("unary floor: latency alone", Statistics.Median(oursAlone), "ms",
                "bare Kestrel", Statistics.Median(floorAlone), Target.AtMost(1.6)),
        ];
    }
}
