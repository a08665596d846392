using NUnit.Framework;

namespace RemoteExec.Tidy;

/// <summary>Every room has its page, and the solution has every room.</summary>
public sealed class FolderTests
{
    private static readonly string[] Sections = ["owns", "may depend on", "start reading"];

    private static IEnumerable<string> Rooms => FoldersOf("src", "workers");

    // A test room that mirrors another is explained by that one's page.
    private static IEnumerable<string> TestRooms => FoldersOf("tests").Where(room => !room.EndsWith(".Tests", StringComparison.Ordinal));

    private static IEnumerable<string> Projects => Repository.Files(["src", "workers", "tests"], ".csproj");

    [TestCaseSource(nameof(Rooms))]
    public void A_room_has_a_page_that_says_what_it_owns_what_it_may_depend_on_and_where_to_start_reading(string room)
    {
        string page = Path.Combine(room, "README.md");

        Assert.That(File.Exists(Path.Combine(Repository.Root, page)), Is.True, $"{page} is missing");
        foreach (string section in Sections)
            Assert.That(Repository.Read(page), Does.Contain(section).IgnoreCase, page);
    }

    [TestCaseSource(nameof(TestRooms))]
    public void A_test_room_that_mirrors_no_other_has_a_page(string room) =>
        Assert.That(File.Exists(Path.Combine(Repository.Root, room, "README.md")), Is.True);

    [TestCaseSource(nameof(Projects))]
    public void The_solution_lists_the_project(string project) =>
        Assert.That(Repository.Read("RemoteExec.sln").Replace('\\', '/'), Does.Contain($"\"{project}\""));

    [Test]
    public void The_solution_lists_nothing_that_is_not_there()
    {
        var listed =
            from line in Repository.Read("RemoteExec.sln").Split('\n')
            where line.StartsWith("Project(", StringComparison.Ordinal)
            let path = line.Split('"')[5].Replace('\\', '/')
            where path.EndsWith(".csproj", StringComparison.Ordinal)
            select path;

        Assert.That(listed, Is.EquivalentTo(Projects));
    }

    [TestCaseSource(nameof(Projects))]
    public void A_project_leaves_versions_to_the_central_list(string project) =>
        Assert.That(Repository.Read(project), Does.Not.Match("<PackageReference[^>]*\\sVersion="));

    private static IEnumerable<string> FoldersOf(params string[] topFolders) =>
        Repository.Files(topFolders, ".csproj").Select(path => Path.GetDirectoryName(path)!);
}
