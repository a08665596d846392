using System.Text;

namespace RemoteExec.Conformance;

/// <summary>Findings for people: rule, expected, seen, one a line, below their names.</summary>
internal static class FindingsTable
{
    public static string Format(IReadOnlyList<Finding> findings)
    {
        var text = new StringBuilder();
        int idWidth = findings.Max(each => each.Check.Id.Length);
        int ruleWidth = findings.Max(each => each.Check.Rule.Length);
        int expectedWidth = findings.Max(each => each.Check.Expected.Length);
        text.Append("".PadRight(12)).Append("id".PadRight(idWidth + 2)).Append("rule".PadRight(ruleWidth + 2)).Append("expected".PadRight(expectedWidth + 2)).Append("seen\n");
        foreach (var each in findings)
        {
            text.Append(Word(each.Verdict).PadRight(12)).Append(each.Check.Id.PadRight(idWidth + 2)).Append(each.Check.Rule.PadRight(ruleWidth + 2));
            text.Append(each.Check.Expected.PadRight(expectedWidth + 2)).Append(each.Seen);
            if (each.Verdict == Verdict.Failed && each.Detail.Length > 0) text.Append(": ").Append(each.Detail);
            text.Append('\n');
        }

        return text.Append('\n')
            .Append(findings.Count(each => each.Verdict == Verdict.Passed)).Append(" passed, ")
            .Append(findings.Count(each => each.Verdict == Verdict.Failed)).Append(" failed, ")
            .Append(findings.Count(each => each.Verdict == Verdict.NotOffered)).Append(" not offered\n")
            .ToString();
    }

    public static string Word(Verdict verdict) => verdict switch
    {
        Verdict.Passed => "pass",
        Verdict.Failed => "FAIL",
        _ => "not offered",
    };
}
