using System.Text.RegularExpressions;

namespace RemoteExec.Tidy;

/// <summary>Something that sources do not contain.</summary>
/// <param name="Endings">Which files it is about.</param>
/// <param name="Instead">What to write in its place.</param>
/// <param name="InText">Whether comments and literals count as well; otherwise only code does.</param>
/// <param name="Except">Beginnings of the paths where it has a reason, which a comment beside the row tells.</param>
internal sealed record SourceBan(string Name, Regex Pattern, string Instead, string[] Endings, bool InText = false, string[]? Except = null)
{
    public bool IsAbout(string path) =>
        Endings.Any(ending => path.EndsWith(ending, StringComparison.Ordinal))
        && Except?.Any(beginning => path.StartsWith(beginning, StringComparison.Ordinal)) != true;
}
