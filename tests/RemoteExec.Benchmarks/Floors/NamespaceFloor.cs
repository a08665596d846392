using System.Globalization;
using RemoteExec.EndToEnd;

namespace RemoteExec.Benchmarks;

/// <summary>The no-op program of the action rows, and how fast the kernel alone can sandbox it.</summary>
internal static class NamespaceFloor
{
    private static readonly Dictionary<string, string?> s_inherited = [];

    /// <summary>A static program that does nothing: no loader, no library, no file but itself.</summary>
    public static async Task<string> CompileNoOpAsync(string folder)
    {
        string source = Path.Combine(folder, "noop.c");
        await File.WriteAllTextAsync(source, "int main(void) { return 0; }\n");
        return await CompileAsync(source, Path.Combine(folder, "noop"));
    }

    /// <summary>Milliseconds of each round.</summary>
    public static async Task<IReadOnlyList<double>> MeasureAsync(string folder, string program, int rounds)
    {
        string source = Path.Combine(BuiltPrograms.RepositoryRoot, "tests/RemoteExec.Benchmarks/Floors/namespace-floor.c");
        string floor = await CompileAsync(source, Path.Combine(folder, "namespace-floor"));
        string output = await RunAsync(floor, [program, $"{rounds}"], folder);
        return [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => long.Parse(line, CultureInfo.InvariantCulture) / 1e6)];
    }

    private static async Task<string> CompileAsync(string source, string program)
    {
        await RunAsync("gcc", ["-O2", "-static", "-o", program, source], Path.GetDirectoryName(program)!);
        return program;
    }

    private static async Task<string> RunAsync(string program, string[] arguments, string folder)
    {
        await using var process = ChildProcess.Start(program, arguments, folder, s_inherited);
        int exitCode = await process.Exited;
        return exitCode == 0
            ? process.StandardOutput.ToString()
            : throw new InvalidOperationException($"{program} ended with {exitCode}:\n{process.Output}");
    }
}
