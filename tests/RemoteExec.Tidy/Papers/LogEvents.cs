using System.Text.RegularExpressions;

namespace RemoteExec.Tidy;

/// <summary>The named lines of the log: those in the code, and those in the table of Observability's page.</summary>
internal static partial class LogEvents
{
    // Told through the runtime's own channel, at whatever level.
    private static readonly string[] WithoutDeclaration = ["trace – S", "trace – W"];

    /// <summary>As <c>ready info S</c>: name, level, program.</summary>
    public static IReadOnlyList<string> Declared =>
    [
        .. (from file in Repository.Files(["src", "workers"], ".cs")
            from declaration in DeclarationsIn(Repository.Read(file))
            select $"{NameIn(declaration)} {LevelIn(declaration)} {(file.StartsWith("workers/", StringComparison.Ordinal) ? 'W' : 'S')}")
            .Concat(WithoutDeclaration).Order(StringComparer.Ordinal),
    ];

    public static IReadOnlyList<string> Documented =>
    [
        .. (from Match row in Row().Matches(Repository.Read("src/RemoteExec.Observability/README.md").Split("\n## Events\n")[1])
            from program in row.Groups["programs"].Value.Split(", ")
            select $"{row.Groups["name"].Value} {row.Groups["level"].Value} {program}").Order(StringComparer.Ordinal),
    ];

    public static IEnumerable<string> DeclarationsIn(string source) => Declaration().Matches(source).Select(match => match.Value);

    /// <summary>Empty for one that has none.</summary>
    public static string NameIn(string declaration) => EventName().Match(declaration).Groups["name"].Value;

    private static string LevelIn(string declaration) => Level().Match(declaration).Groups["level"].Value switch
    {
        "Information" => "info",
        "Warning" => "warn",
        "Critical" => "fatal",
        var level => level.ToLowerInvariant(),
    };

    [GeneratedRegex(@"\[LoggerMessage\((?>[^""\]]|""(?:[^""\\]|\\.)*"")*\)\]")]
    private static partial Regex Declaration();

    [GeneratedRegex(@"EventName = ""(?<name>[^""]*)""")]
    private static partial Regex EventName();

    [GeneratedRegex(@"LogLevel\.(?<level>\w+)")]
    private static partial Regex Level();

    [GeneratedRegex(@"^\| `(?<name>[a-z_]+)` \| (?<level>\S+) \| (?<programs>[SW](?:, [SW])?) \|", RegexOptions.Multiline)]
    private static partial Regex Row();
}
