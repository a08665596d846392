namespace RemoteExec.Tidy;

/// <summary>The checked-out tree in which this test was built.</summary>
internal static class Repository
{
    private static readonly string[] SkippedFolders = ["bin", "obj", "artifacts", "TestResults", "node_modules"];

    public static string Root { get; } = FindRoot();

    /// <summary>All files with these endings below some top folders, as paths relative to the root, outputs left out.</summary>
    public static IReadOnlyList<string> Files(IEnumerable<string> topFolders, params string[] endings) =>
    [
        .. topFolders
            .Where(folder => Directory.Exists(Path.Combine(Root, folder)))
            .SelectMany(folder => Walk(Path.Combine(Root, folder)))
            .Where(path => endings.Any(ending => path.EndsWith(ending, StringComparison.Ordinal)))
            .Select(path => Path.GetRelativePath(Root, path).Replace('\\', '/'))
            .Order(StringComparer.Ordinal),
    ];

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    private static IEnumerable<string> Walk(string folder) =>
        Directory.EnumerateFiles(folder).Concat(
            Directory.EnumerateDirectories(folder)
                .Where(child => !SkippedFolders.Contains(Path.GetFileName(child)) && !Path.GetFileName(child).StartsWith('.'))
                .SelectMany(Walk));

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "RemoteExec.sln"))) return folder.FullName;
        }

        throw new InvalidOperationException("RemoteExec.sln is in no folder above the test: run it where it was built");
    }
}
