using System.Security.Cryptography;

namespace RemoteExec.Worker;

/// <summary>
/// The name of a worker that was given none: the machine's, and some letters that are kept in its data directory. It is the same after
/// a restart, so that a worker has a history; and another one on a machine that was copied from this one, which has another name.
/// </summary>
internal static class WorkerName
{
    public const string FileName = "worker-id";

    private const int LettersMax = 64;

    /// <param name="dataDirectory">Exists.</param>
    public static string Of(string dataDirectory) => $"{Environment.MachineName}-{KeptLetters(Path.Combine(dataDirectory, FileName))}";

    private static string KeptLetters(string path)
    {
        if (File.Exists(path) && File.ReadAllText(path).Trim() is { Length: > 0 and <= LettersMax } kept && kept.All(char.IsAsciiLetterOrDigit)) return kept;

        // Torn by a crash, or never written. Nothing else is known by the old name, so a new one does no harm.
        string letters = RandomNumberGenerator.GetHexString(8, lowercase: true);
        string written = path + ".new";
        File.WriteAllText(written, letters + "\n");
        File.Move(written, path, overwrite: true);
        return letters;
    }
}
