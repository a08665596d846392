namespace RemoteExec.Benchmarks;

/// <summary>An earlier commit of this repository, built by <c>eng/bench</c> (eng/lib/baseline.sh), to be measured in turn with this one.</summary>
internal static class Baseline
{
    public const string Name = "3ca9a17";

    /// <exception cref="InvalidOperationException">This program was not started by eng/bench.</exception>
    public static string Root { get; } = Environment.GetEnvironmentVariable("REXEC_BASELINE")
        ?? throw new InvalidOperationException("REXEC_BASELINE does not say where the commit to compare with was built; run eng/bench");
}
