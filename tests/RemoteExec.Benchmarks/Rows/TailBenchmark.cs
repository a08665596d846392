using Build.Bazel.Remote.Execution.V2;
using RemoteExec.Protocol;

namespace RemoteExec.Benchmarks;

/// <summary>What a build that is all hits feels of others that upload a gigabyte each meanwhile.</summary>
internal sealed class TailBenchmark : IBenchmark
{
    private const int WarmUp = 20_000;
    private const int Requests = 2_000;
    private const double Tail = 0.99;

    public string Name => "tail";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        await using var server = await bench.StartServerAsync();
        using var caller = new GrpcCaller(server.GrpcAddress);
        var actions = new NoOpActions(caller);
        string noOp = await NamespaceFloor.CompileNoOpAsync(bench.NewFolder("noop"));
        var action = (await actions.UploadAsync(noOp, [], count: 1, cancellationToken))[0];
        await actions.ExecuteAsync(action, cancellationToken);
        byte[] hit = GrpcCaller.Frame(new GetActionResultRequest { ActionDigest = action.ToWire() });
        await H2Load.RunAsync(bench, server.GrpcAddress, Methods.GetActionResult, hit, 64, WarmUp);

        var blob = new BigBlob();
        var rows = new List<Measurement>();
        foreach (var (uploads, target) in ((int, Target)[])[(0, Target.None), (1, Target.AtMost(2.5)), (4, Target.AtMost(5))])
        {
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var writers = Enumerable.Range(0, uploads).Select(_ => Task.Run(() => UploadAsync(server.GrpcAddress, blob, ended.Token), CancellationToken.None)).ToArray();
            var (_, milliseconds) = await H2Load.TimesAsync(bench, server.GrpcAddress, Methods.GetActionResult, hit, 1, Requests);
            await ended.CancelAsync();
            await Task.WhenAll(writers);
            rows.Add(Measurement.Absolute($"GetActionResult beside {uploads} uploads of 1 GiB: p99", Statistics.Percentile(milliseconds, Tail), "ms", target));
        }

        await server.StopAsync();
        return rows;
    }

    /// <summary>One gigabyte after the other, on a connection of its own, as another client would; of a name that is never right, so that none is ever there already.</summary>
    private static async Task UploadAsync(string address, BigBlob blob, CancellationToken cancellationToken)
    {
        using var caller = new GrpcCaller(address);
        while (!cancellationToken.IsCancellationRequested)
        {
            string hash = $"{Guid.NewGuid():N}{Guid.NewGuid():N}";
            using var upload = new UploadContent($"uploads/{Guid.NewGuid()}/blobs/{hash}/{BigBlob.Bytes}", blob.Content);
            try
            {
                await caller.ReadAllAsync(Methods.Write, upload, _ => { }, cancellationToken);
            }
            catch (InvalidDataException)
            {
                // Refused at its end, as it has to be: everything before that is what an honest one costs, but for the last flush.
            }
            catch (Exception) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
        }
    }
}
