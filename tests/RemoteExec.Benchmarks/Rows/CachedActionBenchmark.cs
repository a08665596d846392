using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Grpc.Health.V1;
using RemoteExec.Protocol;

namespace RemoteExec.Benchmarks;

/// <summary>What a client pays for a result that is already there, against the smallest call on the same server.</summary>
internal sealed class CachedActionBenchmark : IBenchmark
{
    private const int InFlight = 64;
    private const int WarmUp = 20_000;
    private const int Requests = 30_000;
    private const int Rounds = 3;

    public string Name => "cached";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        await using var server = await bench.StartServerAsync();
        using var caller = new GrpcCaller(server.GrpcAddress);
        var actions = new NoOpActions(caller);
        string noOp = await NamespaceFloor.CompileNoOpAsync(bench.NewFolder("noop"));
        var action = (await actions.UploadAsync(noOp, [], count: 1, cancellationToken))[0];
        await actions.ExecuteAsync(action, cancellationToken);
        if (!(await actions.ExecuteAsync(action, cancellationToken)).CachedResult)
            throw new InvalidDataException("the second Execute did not come from the cache");

        (string Row, string Method, byte[] Body)[] calls =
        [
            ("empty call", Methods.HealthCheck, GrpcCaller.Frame(new HealthCheckRequest())),
            ("GetActionResult", Methods.GetActionResult, GrpcCaller.Frame(new GetActionResultRequest { ActionDigest = action.ToWire() })),
            ("Execute", Methods.Execute, NoOpActions.ExecuteFrame(action)),
        ];
        var latencies = calls.Select(_ => new List<double>()).ToArray();
        var rates = calls.Select(_ => new List<double>()).ToArray();
        foreach (var (_, method, body) in calls)
            await H2Load.RunAsync(bench, server.GrpcAddress, method, body, InFlight, WarmUp);
        for (int round = 0; round < Rounds; round++)
        {
            for (int turn = 0; turn < calls.Length; turn++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                // Each is the first once: whatever is measured last finds the machine warmer, or tired.
                int i = (round + turn) % calls.Length;
                latencies[i].Add((await H2Load.RunAsync(bench, server.GrpcAddress, calls[i].Method, calls[i].Body, 1, Requests / 10)).Milliseconds);
                rates[i].Add((await H2Load.RunAsync(bench, server.GrpcAddress, calls[i].Method, calls[i].Body, InFlight, Requests)).Rate);
            }
        }

        await server.StopAsync();
        return
        [
            .. Enumerable.Range(1, calls.Length - 1).SelectMany(i => new[]
            {
                Measurement.Relative($"cached action: {calls[i].Row} latency", Statistics.Median(latencies[i]), "ms",
                    calls[0].Row, Statistics.Median(latencies[0]), Target.AtMost(1.3)),
                Measurement.Relative($"cached action: {calls[i].Row} rate", Statistics.Median(rates[i]), "calls/s",
                    calls[0].Row, Statistics.Median(rates[0]), Target.AtLeast(0.65)),
            }),
        ];
    }
}
