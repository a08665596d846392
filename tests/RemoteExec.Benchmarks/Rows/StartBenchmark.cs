using System.Globalization;
using RemoteExec.EndToEnd;

namespace RemoteExec.Benchmarks;

/// <summary>From the start of the built program to the first 200 of /readyz, and the memory it then holds.</summary>
internal sealed class StartBenchmark : IBenchmark
{
    private const int Rounds = 5;

    public string Name => "start";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        var seconds = new List<double>();
        var mebibytes = new List<double>();
        string program = Path.Combine(BuiltPrograms.RepositoryRoot, "out/bin/rexec-server");
        for (int round = 0; round < Rounds; round++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            string data = bench.NewFolder("server");
            long start = TimeProvider.System.GetTimestamp();
            await using var server = await ServerProcess.StartProgramAsync(program, data);
            seconds.Add(TimeProvider.System.GetElapsedTime(start).TotalSeconds);
            mebibytes.Add(ResidentMebibytes(server.Id));
            await server.StopAsync();
        }

        return
        [
            Measurement.Absolute("start: to /readyz", Statistics.Median(seconds), "s", Target.AtMost(0.6)),
            Measurement.Absolute("start: resident memory", Statistics.Median(mebibytes), "MiB", Target.AtMost(110)),
        ];
    }

    // proc(5): "VmRSS:     12345 kB"
    private static double ResidentMebibytes(int process)
    {
        string line = File.ReadLines($"/proc/{process}/status").First(each => each.StartsWith("VmRSS:", StringComparison.Ordinal));
        return double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024;
    }
}
