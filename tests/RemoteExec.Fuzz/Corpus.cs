namespace RemoteExec.Fuzz;

/// <summary>What was kept of earlier runs: of each way that a parser can go, one input that goes it. A file for each target, a line of hex for each input.</summary>
internal static class Corpus
{
    public static IReadOnlyList<byte[]> Of(string target)
    {
        string path = Path.Combine(AppContext.BaseDirectory, nameof(Corpus), target + ".hex");
        return File.Exists(path) ? [.. File.ReadLines(path).Where(line => line.Length > 0).Select(Convert.FromHexString)] : [];
    }

    public static async Task WriteAsync(string folder, string target, IEnumerable<byte[]> inputs)
    {
        Directory.CreateDirectory(folder);
        await File.WriteAllLinesAsync(Path.Combine(folder, target + ".hex"), inputs.Select(Convert.ToHexStringLower));
    }
}
