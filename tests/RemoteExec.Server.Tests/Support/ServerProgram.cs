using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace RemoteExec.Server.Tests;

/// <summary>The built <c>rexec-server</c> as a process: its two outputs, signals to it, its exit code.</summary>
internal sealed partial class ServerProgram : IAsyncDisposable
{
    // Far beyond any start or drain of these tests; a hang becomes a failure with the output so far.
    private static readonly TimeSpan EndWithin = TimeSpan.FromSeconds(60);

    private const int SIGTERM = 15;

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _error = new();
    private readonly TaskCompletionSource _welcomed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _reading;
    private readonly List<(string Text, TaskCompletionSource Said)> _waiting = []; // under the lock of _error

    private ServerProgram(Process process)
    {
        _process = process;
        _reading = Task.WhenAll(ReadAsync(process.StandardOutput, _output), ReadAsync(process.StandardError, _error));
    }

    public static string Path { get; } = System.IO.Path.Combine(AppContext.BaseDirectory, "rexec-server");

    /// <summary>Standard output so far.</summary>
    public string Output
    {
        get { lock (_output) return _output.ToString(); }
    }

    /// <summary>Standard error so far.</summary>
    public string Error
    {
        get { lock (_error) return _error.ToString(); }
    }

    /// <summary>On free ports, unless the flags say otherwise.</summary>
    public static ServerProgram Start(params string[] flags) => StartUnder([], flags);

    /// <summary>Started by another program, which ends in exec.</summary>
    public static ServerProgram StartUnder(string[] wrapper, string[] flags)
    {
        string[] all = [.. wrapper, Path, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", .. flags];
        var start = new ProcessStartInfo(all[0], all[1..]) { RedirectStandardOutput = true, RedirectStandardError = true };
        // The runtime that runs this test: .../shared/Microsoft.NETCore.App/10.0.x/
        start.Environment["DOTNET_ROOT"] = System.IO.Path.GetFullPath(
            System.IO.Path.Combine(System.IO.Path.GetDirectoryName(typeof(object).Assembly.Location)!, "../../.."));
        return new ServerProgram(Process.Start(start)!);
    }

    /// <summary>Runs it to its end: for servers that refuse to start.</summary>
    public static async Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] flags)
    {
        await using var server = Start(flags);
        return (await server.ExitedAsync(), server.Output, server.Error);
    }

    /// <summary>Waits for the welcome text and answers where it serves gRPC.</summary>
    public async Task<Uri> ReadyAsync()
    {
        var first = await Task.WhenAny(_welcomed.Task, _reading).WaitAsync(EndWithin);
        if (first != _welcomed.Task) throw new InvalidOperationException($"rexec-server ended at its start:\n{Error}");

        return new Uri("http" + Welcomed("Execution ")["grpc".Length..]);
    }

    /// <summary>Waits until a line with this text is on standard error.</summary>
    public async Task SaysAsync(string text)
    {
        var said = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_error)
        {
            if (_error.ToString().Contains(text, StringComparison.Ordinal)) return;
            _waiting.Add((text, said));
        }

        var first = await Task.WhenAny(said.Task, _reading).WaitAsync(EndWithin);
        if (first != said.Task) throw new InvalidOperationException($"it ended and never said '{text}':\n{Error}");
    }

    /// <summary>Where its page is, once it is ready.</summary>
    public Uri HttpAddress => new(Welcomed("Web "));

    private string Welcomed(string row)
    {
        string line = Output.Split('\n').Single(l => l.TrimStart().StartsWith(row, StringComparison.Ordinal));
        return line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
    }

    public void Terminate()
    {
        if (Signal(_process.Id, SIGTERM) != 0)
            throw new InvalidOperationException($"kill({_process.Id}): {Marshal.GetLastPInvokeErrorMessage()}");
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
    }

    /// <summary>Waits for its end and answers its exit code.</summary>
    public async Task<int> ExitedAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(EndWithin);
        await _reading.WaitAsync(EndWithin);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        await _reading;
        _process.Dispose();
    }

    private async Task ReadAsync(StreamReader from, StringBuilder to)
    {
        while (await from.ReadLineAsync() is { } line)
        {
            lock (to)
            {
                to.Append(line).Append('\n');
                if (to == _error) _waiting.ForEach(each => { if (line.Contains(each.Text, StringComparison.Ordinal)) each.Said.TrySetResult(); });
            }

            // The last line of the welcome.
            if (line.StartsWith("Stop with Ctrl-C", StringComparison.Ordinal)) _welcomed.TrySetResult();
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Signal(int process, int signal);
}
