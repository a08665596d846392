using System.Text.RegularExpressions;

namespace RemoteExec.Tidy;

/// <summary>One public type per file, so that a listing of a folder reads like a list of what it offers.</summary>
internal static partial class PublicTypes
{
    // A delegate or an enum of two words beside the type that it belongs to would be a row here, with the reason.
    private static readonly string[] Except = [];

    public static IEnumerable<string> Violations(string path, string text)
    {
        if (Except.Contains(path)) return [];

        string[] types = [.. Declarations().Matches(CSharpText.CodeOf(text)).Select(match => match.Groups["name"].Value).Distinct()];
        return types.Length <= 1 ? [] : [$"{path} has the public types {string.Join(", ", types)}. Instead: one file for each"];
    }

    // Namespaces are file-scoped (another rule), so an outermost type begins its line.
    [GeneratedRegex(
        @"^public\s+((static|sealed|abstract|readonly|ref|partial|unsafe)\s+)*((record\s+)?(class|struct)|record|interface|enum|delegate\s+[\w<>\[\]?., ]+?)\s+(?<name>\w+)",
        RegexOptions.Multiline)]
    private static partial Regex Declarations();
}
