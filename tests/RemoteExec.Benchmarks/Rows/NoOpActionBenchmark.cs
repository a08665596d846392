using RemoteExec.Core;

namespace RemoteExec.Benchmarks;

/// <summary>
/// Submit to done of a static no-op with all walls up, one after the other on an idle server, each a new
/// action; and how that compares with what the kernel alone needs for such a process, and with an earlier commit in turn.
/// </summary>
internal sealed class NoOpActionBenchmark : IBenchmark
{
    // Until the runtime has compiled anew what is used often; before that the server is not idle.
    private const int WarmUp = 1000;
    private const int Rounds = 500;

    public string Name => "noop";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        await using var server = await bench.StartServerAsync();
        await using var baseline = await bench.StartBaselineAsync();
        using var caller = new GrpcCaller(server.GrpcAddress);
        using var baselineCaller = new GrpcCaller(baseline.GrpcAddress);
        var actions = new NoOpActions(caller);
        var baselineActions = new NoOpActions(baselineCaller);
        string folder = bench.NewFolder("noop");
        string noOp = await NamespaceFloor.CompileNoOpAsync(folder);

        var turns = (await actions.UploadAsync(noOp, [], WarmUp + Rounds, cancellationToken))
            .Zip(await baselineActions.UploadAsync(noOp, [], WarmUp + Rounds, cancellationToken));
        var (milliseconds, before) = (new List<double>(), new List<double>());
        foreach (var (action, baselineAction) in turns)
        {
            before.Add(await MillisecondsAsync(baselineActions, baselineAction, cancellationToken));
            milliseconds.Add(await MillisecondsAsync(actions, action, cancellationToken));
        }

        await server.StopAsync();
        await baseline.StopAsync();
        var floor = await NamespaceFloor.MeasureAsync(folder, noOp, Rounds);
        double[] warm = [.. milliseconds.Skip(WarmUp)];
        double median = Statistics.Median(warm);
        return
        [
            Measurement.Absolute("no-op action: p50", median, "ms", Target.AtMost(3)),
            Measurement.Absolute("no-op action: p99", Statistics.Percentile(warm, 0.99), "ms", Target.AtMost(10)),
            Measurement.Relative("no-op action: p50", median, "ms",
                "namespaces + exec", Statistics.Median(floor), Target.AtMost(2.3)),
            Measurement.Relative("no-op action: p50", median, "ms", Baseline.Name, Statistics.Median(before.Skip(WarmUp)), Target.None),
        ];
    }

    private static async Task<double> MillisecondsAsync(NoOpActions actions, Digest action, CancellationToken cancellationToken)
    {
        long start = TimeProvider.System.GetTimestamp();
        var response = await actions.ExecuteAsync(action, cancellationToken);
        if (response.CachedResult) throw new InvalidDataException("a new action came from the cache");
        return TimeProvider.System.GetElapsedTime(start).TotalMilliseconds;
    }
}
