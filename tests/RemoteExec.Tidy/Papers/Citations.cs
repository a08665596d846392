using System.Text.RegularExpressions;

namespace RemoteExec.Tidy;

/// <summary>Rules that comments, tests and pages cite by name ("REAPI BW5, G1"), and the pages that explain them.</summary>
internal static partial class Citations
{
    private static readonly string[] Folders = ["src", "workers", "tests", "sandbox-native", "protos", "eng", "docs"];
    private static readonly string[] Endings = [".cs", ".c", ".h", ".md", ".proto", ".props", ".targets"];

    /// <summary>Every citation, with the file that it stands in.</summary>
    public static IEnumerable<(string File, string Book, string Id)> All() =>
        from file in Repository.Files(Folders, Endings)
        from citation in Of(Repository.Read(file))
        select (file, citation.Book, citation.Id);

    public static IEnumerable<(string Book, string Id)> Of(string text) =>
        from Match match in Citation().Matches(text)
        from id in match.Groups["ids"].Value.Split(", ")
        select (match.Groups["book"].Value, id);

    public static bool IsExplained(string book, string id) => book switch
    {
        "REAPI" => IsWordOf(Repository.Read("protos/README.md"), id) || IsWordOf(Repository.Read("protos/README.md"), id.TrimEnd("0123456789".ToCharArray())),
        "DESIGN" => Repository.Read("docs/DESIGN.md").Contains($"**{id} · ", StringComparison.Ordinal),
        _ => Repository.Read("docs/DESIGN.md").Contains($"**{book} {id} · ", StringComparison.Ordinal),
    };

    private static bool IsWordOf(string page, string word) => word.Length > 0 && Regex.IsMatch(page, $@"(?<![\w.]){Regex.Escape(word)}(?!\w|\.\d)");

    [GeneratedRegex(@"\b(?<book>REAPI|DESIGN|TRUST|UX) (?<ids>(?:[A-Z]{0,3}\d+(?:\.\d+)?)(?:, (?:[A-Z]{1,3}\d+|\d+\.\d+)\b)*)")]
    private static partial Regex Citation();
}
