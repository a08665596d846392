namespace RemoteExec.EndToEnd;

/// <summary>
/// A file outside of every action, to which actions without a sandbox append a line each time that they run. It counts what no
/// counter of a server can that is stopped meanwhile.
/// </summary>
internal sealed class Witness
{
    private static readonly TimeSpan HeardWithin = TimeSpan.FromMinutes(2);

    public Witness(string folder)
    {
        Directory.CreateDirectory(folder);
        Path = System.IO.Path.Combine(folder, "witness");
        File.WriteAllText(Path, "");
    }

    public string Path { get; }

    public IReadOnlyList<string> Lines => File.ReadAllLines(Path);

    public Task HeardAsync(int count) => Eventually.TrueAsync($"{count} actions have run", HeardWithin, () => Lines.Count >= count);
}
