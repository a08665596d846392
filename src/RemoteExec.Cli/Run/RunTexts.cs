using RemoteExec.Client;
using RemoteExec.Core;

namespace RemoteExec.Cli;

/// <summary>Values of <c>rexec run</c>'s options.</summary>
internal static class RunTexts
{
    // A line has no end in a device.
    private const int FileBytesMax = 1 << 20;

    /// <summary>Those of the file, then those of the command line; the last one wins, as in env(1).</summary>
    public static Dictionary<string, string> Variables(string? file, IEnumerable<string> texts)
    {
        var variables = new Dictionary<string, string>();
        foreach (var (name, value) in (file is null ? [] : LinesOf(file)).Concat(texts.Select(text => Pair(text, "--env"))))
            variables[name] = value;
        return variables;
    }

    public static TimeSpan Duration(string text) => UnitText.TryParseDuration(text, out var duration) && duration > TimeSpan.Zero
        ? duration
        : throw new ClientException($"--timeout {text}: write a number and a unit, such as 30s or 5m");

    public static KeyValuePair<string, string> Pair(string text, string option)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0) throw new ClientException($"{option} {text}: write NAME=VALUE");
        return text.Contains('\0', StringComparison.Ordinal)
            ? throw new ClientException($"{option} {text}: there is a NUL in it")
            : new(text[..equals], text[(equals + 1)..]);
    }

    private static IEnumerable<KeyValuePair<string, string>> LinesOf(string file)
    {
        LocalPath.Check(file);
        if (!File.Exists(file)) throw new ClientException($"--env-file {file}: there is no such file");
        if (new FileInfo(file).Length > FileBytesMax) throw new ClientException($"--env-file {file} is larger than {UnitText.FormatSize(FileBytesMax)}");

        return File.ReadAllLines(file).Select(line => line.Trim())
            .Where(line => line.Length > 0 && !line.StartsWith('#'))
            .Select(line => Pair(line, $"--env-file {file}:"));
    }
}
