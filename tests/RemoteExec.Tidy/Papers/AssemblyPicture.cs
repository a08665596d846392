using System.Text.RegularExpressions;

namespace RemoteExec.Tidy;

/// <summary>The picture of the assemblies in docs/DESIGN.md, and what the project files say that it has to be.</summary>
internal static partial class AssemblyPicture
{
    /// <summary>Arrows as they are drawn: <c>Server --> Web</c>.</summary>
    public static IReadOnlyList<string> Drawn => [.. Arrow().Matches(Repository.Read("docs/DESIGN.md")).Select(match => match.Value.Trim()).Order(StringComparer.Ordinal)];

    /// <summary>The arrows between projects, without those that follow from two others.</summary>
    public static IReadOnlyList<string> Real
    {
        get
        {
            var references = ProjectFile.OfProduct.ToDictionary(
                project => project.Name,
                project => project.References.Where(reference => ProjectFile.OfProduct.Any(other => other.Name == reference)).ToList());
            return
            [
                .. from project in references.Keys
                   from reference in references[project]
                   where !references[project].Any(other => other != reference && Reaches(references, other, reference))
                   select $"{Short(project)} --> {Short(reference)}" into arrow
                   orderby arrow
                   select arrow,
            ];
        }
    }

    private static bool Reaches(Dictionary<string, List<string>> references, string from, string to) =>
        references[from].Any(next => next == to || Reaches(references, next, to));

    private static string Short(string project) => project["RemoteExec.".Length..];

    [GeneratedRegex(@"^\s*[\w.]+ --> [\w.]+\s*$", RegexOptions.Multiline)]
    private static partial Regex Arrow();
}
