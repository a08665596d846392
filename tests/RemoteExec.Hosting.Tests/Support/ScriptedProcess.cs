using System.Diagnostics;
using System.Runtime.InteropServices;

namespace RemoteExec.Hosting.Tests;

/// <summary>The scripted program as a process: its outputs, signals to it, its exit code.</summary>
internal sealed partial class ScriptedProcess : IAsyncDisposable
{
    public const int SIGINT = 2;
    public const int SIGTERM = 15;

    // Far beyond any of these lives; a hang becomes a failure.
    private static readonly TimeSpan Within = TimeSpan.FromSeconds(60);

    private readonly Process _process;

    private ScriptedProcess(Process process) => _process = process;

    public static ScriptedProcess Start(ScriptedLife life, IReadOnlyDictionary<string, string>? environment = null, params string[] options) =>
        StartUnder([], life, environment, options);

    /// <summary>Started by another program, which ends in exec.</summary>
    public static ScriptedProcess StartUnder(
        string[] wrapper, ScriptedLife life, IReadOnlyDictionary<string, string>? environment = null, params string[] options)
    {
        string name = life switch
        {
            ScriptedLife.RefuseToStart => "refuse-to-start",
            ScriptedLife.StartForEver => "start-for-ever",
            ScriptedLife.DrainForEver => "drain-for-ever",
            ScriptedLife.HurryForEver => "hurry-for-ever",
            ScriptedLife.ShowSockets => "show-sockets",
            _ => life.ToString().ToLowerInvariant(),
        };
        string[] command = DefaultSignals.For([.. wrapper, "dotnet", typeof(ScriptedProcess).Assembly.Location, "--life", name, .. options]);
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (key, value) in environment ?? new Dictionary<string, string>()) start.Environment[key] = value;
        return new ScriptedProcess(Process.Start(start)!); // null only with UseShellExecute
    }

    public async Task<string?> ReadLineAsync() => await _process.StandardOutput.ReadLineAsync().WaitAsync(Within);

    public async Task<string?> ReadErrorLineAsync() => await _process.StandardError.ReadLineAsync().WaitAsync(Within);

    public Task TellAsync() => _process.StandardInput.WriteLineAsync();

    public void Signal(int signal)
    {
        if (Kill(_process.Id, signal) != 0)
            throw new InvalidOperationException($"kill({_process.Id}, {signal}): {Marshal.GetLastPInvokeErrorMessage()}");
    }

    /// <summary>Its exit code and what was not read yet.</summary>
    public async Task<(int ExitCode, string Output, string Error)> EndAsync()
    {
        var output = _process.StandardOutput.ReadToEndAsync();
        string error = await _process.StandardError.ReadToEndAsync().WaitAsync(Within);
        await _process.WaitForExitAsync().WaitAsync(Within);
        return (_process.ExitCode, await output, error);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);
}
