using System.Text.Encodings.Web;
using System.Text.Json;
using RemoteExec.Benchmarks;
using RemoteExec.EndToEnd;

// The baseline of the network rows is another process, as the server is: this program again.
if (args is ["bare-kestrel", ..])
{
    await BareKestrel.ServeAsync(args[1..]);
    return 0;
}

IBenchmark[] all =
[
    new StartBenchmark(),
    new UnaryFloorBenchmark(),
    new CachedActionBenchmark(),
    new NoOpActionBenchmark(),
    new FindMissingBlobsBenchmark(),
    new FindMissingIndexBenchmark(),
    new IndexMemoryBenchmark(),
    new RestartBenchmark(),
    new EvictionBenchmark(),
    new SmallBlobsInBenchmark(),
    new SmallBlobsOutBenchmark(),
    new TinyBlobsBenchmark(),
    new TreeUploadBenchmark(),
    new ReadyAfterBenchmark(),
    new EnginesBenchmark(),
    new WriteBenchmark(),
    new ReadBenchmark(),
    new CompressedReadBenchmark(),
    new CompressedRestBenchmark(),
    new TailBenchmark(),
    new MemoryBenchmark(),
    new Blake3Benchmark(),
    new ChunkingBenchmark(),
    new IncrementalBenchmark(),
    new RecoveryBenchmark(),
    new BazelBenchmark(),
    new LinesBenchmark(),
];

var chosen = all.Where(benchmark => args.Length == 0 || args.Contains(benchmark.Name)).ToArray();
if (chosen.Length == 0 || chosen.Length < args.Distinct().Count())
{
    await Console.Error.WriteLineAsync($"usage: eng/bench [ROW]..., where ROW is one of {string.Join(", ", all.Select(each => each.Name))}");
    return 2;
}

using var cancellation = new CancellationTokenSource();
Console.CancelKeyPress += (_, press) =>
{
    press.Cancel = true; // so that servers are stopped and folders removed
    cancellation.Cancel();
};

var measurements = new List<Measurement>();
bool broken = false;
using (var bench = new Bench())
{
    foreach (var benchmark in chosen)
    {
        await Console.Error.WriteLineAsync($"{benchmark.Name} ...");
        try
        {
            var rows = await benchmark.RunAsync(bench, cancellation.Token);
            measurements.AddRange(rows);
            await Console.Error.WriteAsync(Table.Format(rows)); // whoever stops it in the middle has what was measured until then
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            // The other rows are worth having; the exit code tells that the table is not whole.
            await Console.Error.WriteLineAsync($"{benchmark.Name} broke off: {exception}");
            broken = true;
        }
    }
}

await Console.Out.WriteAsync(Table.Format(measurements));

// A narrowed run says nothing about the other rows, so it does not replace what is known of them.
if (chosen.Length == all.Length && !broken)
{
    string file = Path.Combine(BuiltPrograms.RepositoryRoot, "tests/RemoteExec.Benchmarks/last-run.json");
    var options = new JsonSerializerOptions { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    await File.WriteAllTextAsync(file, JsonSerializer.Serialize(measurements, options) + "\n");
}

return !broken && measurements.TrueForAll(measurement => measurement.IsMet) ? 0 : 1;
