namespace RemoteExec.EndToEnd;

/// <summary>A fenced block of the README: <c>```sh up</c> is one in <c>sh</c> that is called <c>up</c>.</summary>
internal sealed record ReadmeBlock(string Language, string Name, IReadOnlyList<string> Lines)
{
    private const string Fence = "```";

    public static IReadOnlyList<ReadmeBlock> All { get; } = Read();

    /// <summary>Its lines, as one script.</summary>
    public string Text => string.Join('\n', Lines) + "\n";

    public static ReadmeBlock Named(string name) => All.Single(block => block.Name == name);

    private static List<ReadmeBlock> Read()
    {
        var blocks = new List<ReadmeBlock>();
        List<string>? lines = null;
        foreach (string line in File.ReadLines(Path.Combine(BuiltPrograms.RepositoryRoot, "README.md")))
        {
            if (!line.StartsWith(Fence, StringComparison.Ordinal))
                lines?.Add(line);
            else if (lines is not null)
                lines = null;
            else if (line[Fence.Length..].Split(' ') is [{ Length: > 0 } language, { Length: > 0 } name])
                blocks.Add(new ReadmeBlock(language, name, lines = []));
            else
                throw new FormatException($"README.md: '{line}' says no language or no name");
        }

        return blocks;
    }
}
