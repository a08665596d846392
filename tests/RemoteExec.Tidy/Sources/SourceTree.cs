using System.Text.RegularExpressions;

namespace RemoteExec.Tidy;

/// <summary>The sources that people write.</summary>
internal static partial class SourceTree
{
    // These two spell out what is banned.
    private static readonly string[] Mirrors = ["tests/RemoteExec.Tidy/Sources/SourceBans.cs", "tests/RemoteExec.Tidy/Sources/SourceBanTests.cs"];

    private static readonly Lazy<HashSet<string>> Inherited = new(FindInherited);

    public static IReadOnlyList<string> Files { get; } =
    [
        .. Repository.Files(
                ["src", "workers", "tests", "sandbox-native", "protos", "eng"],
                ".cs", ".c", ".h", ".csproj", ".proto", ".md", ".sh", ".py", ".json")
            .Except(Mirrors),
    ];

    public static bool IsInherited(string className) => Inherited.Value.Contains(className);

    private static HashSet<string> FindInherited() =>
    [
        .. Files.Where(path => path.EndsWith(".cs", StringComparison.Ordinal))
            .SelectMany(path => Bases().Matches(CSharpText.CodeOf(Repository.Read(path))))
            .Select(match => match.Groups["base"].Value),
    ];

    [GeneratedRegex(@"\b(class|record)\s+\w+(<[^{;]*?>)?\s*(\([^{;]*?\))?\s*:\s*(?<base>\w+)")]
    private static partial Regex Bases();
}
