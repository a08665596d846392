using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace RemoteExec.EndToEnd;

/// <summary>A program started by a test: its lines as they come, signals to it, its end.</summary>
internal sealed partial class ChildProcess : IAsyncDisposable
{
    // kill(2) takes numbers; these are the same on every Linux architecture that .NET runs on.
    private const int SIGINT = 2;
    private const int SIGKILL = 9;
    private const int SIGTERM = 15;
    private const int ESRCH = 3;

    private readonly Process _process;

    private ChildProcess(Process process)
    {
        _process = process;
        Exited = WaitForEndAsync();
    }

    public int Id => _process.Id;

    /// <summary>stdout and stderr, in the order in which they were read.</summary>
    public OutputLines Output { get; } = new();

    /// <summary>stdout alone: an answer, not the talk around it.</summary>
    public OutputLines StandardOutput { get; } = new();

    /// <summary>Completes with the exit code, after the last line was read.</summary>
    public Task<int> Exited { get; }

    public static ChildProcess Start(
        string program,
        IEnumerable<string> arguments,
        string workingDirectory,
        IReadOnlyDictionary<string, string?> environment)
    {
        string[] command = DefaultSignals.For([program, .. arguments]);
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            WorkingDirectory = workingDirectory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment) start.Environment[name] = value;

        var process = Process.Start(start)!;
        process.StandardInput.Close();
        return new ChildProcess(process);
    }

    /// <summary>What a user's Ctrl-C sends.</summary>
    public void Interrupt() => Signal(SIGINT);

    public void Terminate() => Signal(SIGTERM);

    /// <summary>kill -9, of this one process and not of its children: they must notice by themselves.</summary>
    public void Kill() => Signal(SIGKILL);

    public async ValueTask DisposeAsync()
    {
        Kill();
        await Exited;
        _process.Dispose();
    }

    private void Signal(int signal)
    {
        if (_process.HasExited || SendSignal(_process.Id, signal) == 0) return;

        // It may end at any moment, also at this one.
        int error = Marshal.GetLastPInvokeError();
        if (error != ESRCH) throw new Win32Exception(error, $"kill({_process.Id}, {signal})");
    }

    private async Task<int> WaitForEndAsync()
    {
        await Task.WhenAll(
            CopyAsync(_process.StandardOutput, Output, StandardOutput),
            CopyAsync(_process.StandardError, Output));
        await _process.WaitForExitAsync();
        Output.End();
        StandardOutput.End();
        return _process.ExitCode;
    }

    private static async Task CopyAsync(StreamReader reader, params OutputLines[] targets)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            foreach (var target in targets) target.Add(line);
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int process, int signal);
}
