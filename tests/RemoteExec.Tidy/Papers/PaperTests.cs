using System.Text.RegularExpressions;
using NUnit.Framework;

namespace RemoteExec.Tidy;

/// <summary>What the pages say of the code is so, and what the code cites is on a page.</summary>
public sealed partial class PaperTests
{
    private const int GlossaryWordsMax = 20;

    private static IEnumerable<string> Pages =>
        Repository.Files(["src", "workers", "tests", "sandbox-native", "protos", "eng", "docs"], ".md").Concat(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]);

    [Test]
    public void Every_rule_that_is_cited_is_explained() => Assert.That(
        Citations.All().Where(each => !Citations.IsExplained(each.Book, each.Id)).Select(each => $"{each.File}: {each.Book} {each.Id}").Distinct(), Is.Empty);

    [Test]
    public void A_citation_is_found_and_a_rule_that_no_page_has_is_not_explained()
    {
        Assert.That(Citations.Of("// kept (REAPI BW5, G1; TRUST 4.1), see DESIGN D6."), Is.EqualTo(new[] { ("REAPI", "BW5"), ("REAPI", "G1"), ("TRUST", "4.1"), ("DESIGN", "D6") }));
        Assert.That(Citations.Of("REAPI v2 and DESIGN.md"), Is.Empty);
        Assert.That((Citations.IsExplained("REAPI", "BW5"), Citations.IsExplained("REAPI", "Z1"), Citations.IsExplained("REAPI", "BW55")), Is.EqualTo((true, false, false)));
        Assert.That((Citations.IsExplained("DESIGN", "D6"), Citations.IsExplained("DESIGN", "D66"), Citations.IsExplained("TRUST", "D6")), Is.EqualTo((true, false, false)));
    }

    [Test]
    public void The_picture_of_the_assemblies_has_the_arrows_of_the_projects() =>
        Assert.That(AssemblyPicture.Drawn, Is.EqualTo(AssemblyPicture.Real), "docs/DESIGN.md has to have:\n" + string.Join('\n', AssemblyPicture.Real.Select(arrow => "    " + arrow)));

    [Test]
    public void The_glossary_is_short()
    {
        string glossary = Repository.Read("docs/DESIGN.md").Split("\n## Glossary\n")[1].Split("\n## ")[0];

        int words = glossary.Split('\n').Count(line => line.StartsWith("| ", StringComparison.Ordinal)) - 2; // its head
        Assert.That(words, Is.InRange(10, GlossaryWordsMax));
    }

    [Test]
    public void Every_event_of_the_log_is_in_the_table_of_events_and_no_other() => Assert.That(LogEvents.Documented, Is.EqualTo(LogEvents.Declared));

    [Test]
    public void An_event_is_named_in_lower_case_with_underscores() =>
        Assert.That(LogEvents.Declared.Select(line => line.Split(' ')[0]), Has.All.Match("^[a-z]+(_[a-z]+)*$"));

    [Test]
    public void A_declaration_of_an_event_is_found_whatever_its_message_holds()
    {
        string source = """[LoggerMessage(1, LogLevel.Error, "a ] and a \" in it", EventName = "odd")] void A(); [LoggerMessage(Level = LogLevel.Debug, Message = "no name")]""";

        Assert.That(LogEvents.DeclarationsIn(source).Select(LogEvents.NameIn), Is.EqualTo(new[] { "odd", "" }));
    }

    [TestCaseSource(nameof(Pages))]
    public void A_link_of_a_page_leads_somewhere(string page)
    {
        string folder = Path.GetDirectoryName(page)!;
        var broken =
            from Match link in Link().Matches(Repository.Read(page))
            let target = link.Groups["target"].Value
            where !target.Contains("://", StringComparison.Ordinal)
            let file = target.Split('#')[0]
            let path = file.Length == 0 ? page : Path.GetRelativePath(Repository.Root, Path.GetFullPath(Path.Combine(Repository.Root, folder, file)))
            let anchor = target.Contains('#', StringComparison.Ordinal) ? target.Split('#')[1] : null
            where !Path.Exists(Path.Combine(Repository.Root, path)) || (anchor is not null && !Anchors(path).Contains(anchor))
            select target;

        Assert.That(broken, Is.Empty);
    }

    // As a browser of the repository makes them: lower case, words joined by dashes, the rest left out.
    private static IEnumerable<string> Anchors(string page) =>
        from Match heading in Heading().Matches(Repository.Read(page))
        select string.Concat(heading.Groups["text"].Value.ToLowerInvariant().Where(letter => char.IsLetterOrDigit(letter) || letter is ' ' or '-' or '_')).Replace(' ', '-');

    [GeneratedRegex(@"\[[^\]\n]+\]\((?<target>[^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^#+ (?<text>.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();
}
