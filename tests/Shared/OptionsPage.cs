using NUnit.Framework;

namespace RemoteExec.Testing;

/// <summary>docs/options.md, which is generated: each program's own tests hold its part of it to its table.</summary>
internal static class OptionsPage
{
    private const string Rewrite = "REWRITE_PAGES";

    /// <summary>Fails when the page does not have this part; with REWRITE_PAGES=1 in the environment it writes the part instead.</summary>
    /// <param name="part">From its heading on.</param>
    public static void ShouldHave(string part)
    {
        string path = Path.Combine(RepositoryRoot(), "docs/options.md");
        string page = File.ReadAllText(path);
        string heading = part[..part.IndexOf('\n', StringComparison.Ordinal)];
        int begin = page.IndexOf(heading + "\n", StringComparison.Ordinal);
        Assert.That(begin, Is.Not.Negative, $"{path} has no heading '{heading}'");
        int next = page.IndexOf("\n## ", begin, StringComparison.Ordinal);
        int end = next < 0 ? page.Length : next;
        if (Environment.GetEnvironmentVariable(Rewrite) == "1")
        {
            File.WriteAllText(path, string.Concat(page.AsSpan(0, begin), part, page.AsSpan(end)));
            return;
        }

        Assert.That(page[begin..end], Is.EqualTo(part), $"{path} is not what the options are: {Rewrite}=1 ./eng/test Options_page writes it anew");
    }

    private static string RepositoryRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "RemoteExec.sln"))) return folder.FullName;
        }

        throw new DirectoryNotFoundException($"no RemoteExec.sln above {AppContext.BaseDirectory}");
    }
}
