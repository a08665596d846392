using RemoteExec.EndToEnd;

namespace RemoteExec.Benchmarks;

/// <summary>How much C# of our own there is to read in what a user runs, against an earlier commit.</summary>
internal sealed class LinesBenchmark : IBenchmark
{
    private static readonly string[] s_folders = ["src", "workers"];

    public string Name => "lines";

    public Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        int now = LinesOf(BuiltPrograms.RepositoryRoot);
        int before = LinesOf(Baseline.Root);
        return Task.FromResult<IReadOnlyList<Measurement>>(
        [
            Measurement.Relative("lines of C# in src and workers", now, "lines", Baseline.Name, before, Target.None),
            Measurement.Absolute("lines of C#: fewer", before - now, "lines", Target.AtLeast(4000)),
        ]);
    }

    private static int LinesOf(string root) => s_folders
        .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(root, folder), "*.cs", SearchOption.AllDirectories))
        .Where(file => !file.Contains("/obj/", StringComparison.Ordinal) && !file.Contains("/bin/", StringComparison.Ordinal))
        .Sum(file => File.ReadLines(file).Count());
}
