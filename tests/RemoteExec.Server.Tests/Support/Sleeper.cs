using System.Diagnostics;
using System.Globalization;

namespace RemoteExec.Server.Tests;

/// <summary>A command that runs until the test lets it end: no time is long enough on every machine.</summary>
internal sealed class Sleeper
{
    // Far beyond what it takes a command to be there; a hang becomes a failure.
    private static readonly TimeSpan Within = TimeSpan.FromSeconds(60);

    // Whose it is can be read from its arguments, and from nothing else that this machine runs.
    private readonly string _seconds = $"100000.{BitConverter.ToUInt64(Guid.NewGuid().ToByteArray()).ToString(CultureInfo.InvariantCulture)}";

    /// <summary>For a shell, which goes on behind it.</summary>
    public string Command => $"sleep {_seconds}";

    /// <summary>Waits until it sleeps, and ends that.</summary>
    public async Task WakeAsync()
    {
        using var soon = new CancellationTokenSource(Within);
        while (!Directory.GetDirectories("/proc").Any(Wake))
        {
            soon.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    private bool Wake(string directory)
    {
        try
        {
            if (File.ReadAllText(Path.Combine(directory, "cmdline")) != $"sleep\0{_seconds}\0") return false;

            using var process = Process.GetProcessById(int.Parse(Path.GetFileName(directory), CultureInfo.InvariantCulture));
            process.Kill();
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false; // no process, or ended while we looked
        }
    }
}
