using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>
/// What all fixtures share because it is slow to make: the workspace, and one running Bazel of each
/// version. Fixtures run one after the other, so a Bazel is never asked for two things at once.
/// </summary>
[SetUpFixture]
public sealed class Lab
{
    private static readonly string[] s_small =
        ["--libs", "4", "--sources", "3", "--tests", "3", "--fan", "6", "--tree-files", "60", "--java", "1"];

    private static Lab? s_current;

    private readonly TemporaryFolder _folder = new();
    private readonly Dictionary<string, BazelClient> _bazels = [];
    private readonly Dictionary<string, Task<OutputHashes>> _localOutputs = [];
    private BazelWorkspace? _workspace;
    private int _folders;

    /// <summary>Many at once: most of what takes time in this workspace sleeps.</summary>
    internal static readonly string[] Locally = ["--config=local", "--local_cpu_resources=8"];

    internal static BazelWorkspace Workspace => Current._workspace!;

    private static Lab Current => s_current ?? throw new InvalidOperationException("used outside of a test run");

    [OneTimeSetUp]
    public async Task OpenAsync()
    {
        s_current = this;
        _workspace = await BazelWorkspace.CreateAsync(_folder.Combine("workspace"), s_small);
    }

    [OneTimeTearDown]
    public async Task CloseAsync()
    {
        foreach (var bazel in _bazels.Values) await bazel.DisposeAsync();
        _folder.Dispose();
    }

    internal static BazelVersion Version(string name) =>
        name == BazelVersion.V4.Name ? BazelVersion.V4 : name == BazelVersion.V2.Name ? BazelVersion.V2
            : throw new ArgumentOutOfRangeException(nameof(name), name, "no such Bazel here");

    internal static BazelClient Bazel(BazelVersion version)
    {
        if (!Current._bazels.TryGetValue(version.Name, out var bazel))
            Current._bazels[version.Name] = bazel = AnotherBazel(version);
        return bazel;
    }

    /// <summary>A further Bazel on the same workspace, which the caller disposes.</summary>
    internal static BazelClient AnotherBazel(BazelVersion version) =>
        new(version, Workspace, NewFolder($"bazel-{version}"));

    internal static string NewFolder(string name) => Current._folder.Combine($"{name}-{Current._folders++}");

    /// <summary>The outputs of <see cref="RemoteBuildFixture.Everything"/>, built on this machine without a server.</summary>
    internal static Task<OutputHashes> LocalOutputsAsync(BazelVersion version)
    {
        if (!Current._localOutputs.TryGetValue(version.Name, out var outputs))
            Current._localOutputs[version.Name] = outputs = BuildAsync();
        return outputs;

        async Task<OutputHashes> BuildAsync()
        {
            var bazel = Bazel(version);
            (await bazel.RunAsync("build", [.. Locally, .. RemoteBuildFixture.Everything(version)]))
                .ShouldExitWith(BazelResult.Success);
            return await bazel.HashOutputsAsync();
        }
    }
}
