using System.Text.Encodings.Web;
using System.Text.Json;

namespace RemoteExec.Conformance;

/// <summary>Findings for programs.</summary>
internal static class FindingsJson
{
    private static readonly JsonSerializerOptions Options = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Format(IReadOnlyList<Finding> findings) => JsonSerializer.Serialize(
        findings.Select(each => new
        {
            id = each.Check.Id,
            rule = each.Check.Rule,
            expected = each.Check.Expected,
            seen = each.Seen,
            detail = each.Detail,
            verdict = FindingsTable.Word(each.Verdict).ToLowerInvariant(),
        }),
        Options) + "\n";
}
