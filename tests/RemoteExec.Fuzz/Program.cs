using SharpFuzz;

namespace RemoteExec.Fuzz;

/// <summary>
/// <code>
/// RemoteExec.Fuzz SECONDS [SEED [FOLDER]]   all targets in turn; what went a way of its own is written to the folder
/// RemoteExec.Fuzz --seeds TARGET FOLDER     a file for each seed and each kept input, for AFL
/// RemoteExec.Fuzz --afl TARGET              under afl-fuzz, which looks into instrumented assemblies
/// RemoteExec.Fuzz --targets                 their names
/// </code>
/// </summary>
internal static class Program
{
    private const int MutantsATurn = 200;

    public static async Task<int> Main(string[] arguments)
    {
        switch (arguments)
        {
            case ["--targets"]:
                foreach (var target in FuzzTargets.All) await Console.Out.WriteLineAsync(target.Name);
                return 0;
            case ["--seeds", var name, var folder]:
                Directory.CreateDirectory(folder);
                var seeds = Find(name).Seeds.Concat(Corpus.Of(name)).ToList();
                for (int i = 0; i < seeds.Count; i++) await File.WriteAllBytesAsync(Path.Combine(folder, $"{i}"), seeds[i]);
                return 0;
            case ["--afl", var name]:
                RunUnderAfl(name);
                return 0;
            case [var seconds, .. var rest] when int.TryParse(seconds, out int count) && rest.Length <= 2 && (rest.Length == 0 || int.TryParse(rest[0], out _)):
                return await RunAsync(TimeSpan.FromSeconds(count), rest.Length > 0 ? int.Parse(rest[0], null) : Random.Shared.Next(), rest.Length > 1 ? rest[1] : null);
            default:
                await Console.Error.WriteLineAsync("usage: RemoteExec.Fuzz SECONDS [SEED [FOLDER]] | --targets | --seeds TARGET FOLDER | --afl TARGET");
                return 2;
        }
    }

    private static FuzzTarget Find(string name) => FuzzTargets.All.FirstOrDefault(target => target.Name == name) ?? throw new ArgumentException($"there is no target {name}");

    private static async Task<int> RunAsync(TimeSpan time, int seed, string? folder)
    {
        var runs = FuzzTargets.All.Select(target => new FuzzRun(target, seed)).ToList();
        bool isFaulty = false;
        foreach (var run in runs) isFaulty |= await TellAsync(await run.BeginAsync());
        for (long start = TimeProvider.System.GetTimestamp(); !isFaulty && TimeProvider.System.GetElapsedTime(start) < time;)
        {
            foreach (var run in runs)
            {
                for (int i = 0; i < MutantsATurn && !isFaulty; i++) isFaulty |= await TellAsync(await run.StepAsync());
            }
        }

        foreach (var run in runs)
        {
            await Console.Out.WriteLineAsync($"{run.Target.Name}: {run.Inputs} inputs, {run.Outcomes.Count} outcomes, {run.Kept.Count} kept");
            if (folder is not null && run.Kept.Count > 0) await Corpus.WriteAsync(folder, run.Target.Name, run.Kept);
        }

        await Console.Out.WriteLineAsync($"{runs.Sum(run => (long)run.Inputs)} inputs of seed {seed}, {(isFaulty ? "a fault" : "no fault")}");
        return isFaulty ? 1 : 0;
    }

    private static async Task<bool> TellAsync(string? fault)
    {
        if (fault is not null) await Console.Error.WriteLineAsync(fault);
        return fault is not null;
    }

    private static void RunUnderAfl(string name) => Fuzzer.OutOfProcess.Run(stream =>
    {
        // Not before: seeds are made by instrumented code, which has no map to write into until this runs.
        var target = Find(name);
        using var input = new MemoryStream();
        stream.CopyTo(input);
        // AFL calls from the one thread that this process has, and waits for its answer.
        target.RunAsync(input.ToArray()).AsTask().GetAwaiter().GetResult();
    });
}
