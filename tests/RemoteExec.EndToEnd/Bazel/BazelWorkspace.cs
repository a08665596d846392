using System.Globalization;

namespace RemoteExec.EndToEnd;

/// <summary>
/// A workspace that builds with no network, made by <c>make-bazel-workspace</c>, with every kind of action
/// and output that Bazel knows how to send.
/// </summary>
internal sealed class BazelWorkspace
{
    private BazelWorkspace(string folder, string longSleep)
    {
        Folder = folder;
        LongSleep = longSleep;
    }

    public string Folder { get; }

    /// <summary>
    /// The argument of the <c>sleep</c> commands in //fail. No other process of the machine has it, so
    /// that a sleeper left behind by the server is told from anyone else's.
    /// </summary>
    public string LongSleep { get; }

    public static async Task<BazelWorkspace> CreateAsync(string folder, params string[] size)
    {
        string longSleep = string.Create(CultureInfo.InvariantCulture, $"600.{Environment.ProcessId:0000000}");
        await using var generator = ChildProcess.Start(
            BuiltPrograms.WorkspaceGenerator, [.. size, "--long-sleep", longSleep, folder], "/", new Dictionary<string, string?>());
        if (await generator.Exited != 0)
            throw new InvalidOperationException($"the workspace generator failed:\n{generator.Output}");
        return new BazelWorkspace(folder, longSleep);
    }

    public IReadOnlyList<string> Sleepers() => ProcessTable.WithArgument(LongSleep);
}
