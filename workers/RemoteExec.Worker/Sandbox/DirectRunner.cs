using System.ComponentModel;
using System.Diagnostics;
using RemoteExec.Core;

namespace RemoteExec.Worker.Sandbox;

/// <summary>
/// Runs actions as plain child processes, without a single wall: for kernels where nothing can be built, and only when the
/// operator says so. Time and output are bounded and the process tree is killed as far as the runtime finds it; nothing else holds.
/// </summary>
public sealed class DirectRunner(TimeProvider time) : ISandbox
{
    public SandboxIdentity? FileOwner => null;

    public async ValueTask<SandboxReport> RunAsync(SandboxSpec spec, ISandboxOutput output, CancellationToken cancellationToken)
    {
        if (spec.Arguments.Count == 0)
            return new SandboxReport { Outcome = SandboxOutcome.SpecInvalid, Detail = "the command has no arguments, so no program" };

        string directory = Path.Combine(spec.InputRootPath, spec.WorkingDirectory);
        if (!Directory.Exists(directory))
            return new SandboxReport { Outcome = SandboxOutcome.WorkingDirectoryInvalid, Detail = $"{spec.WorkingDirectory} is not there" };
        if (FindProgram(spec, directory) is not { } program)
            return new SandboxReport { Outcome = SandboxOutcome.ProgramNotFound };

        using var process = new Process { StartInfo = StartInfo(spec, program, directory) };
        long startedAt = time.GetTimestamp();
        try
        {
            process.Start();
        }
        catch (Win32Exception error)
        {
            return new SandboxReport { Outcome = SandboxOutcome.ProgramNotRunnable, Detail = error.Message };
        }

        process.StandardInput.Close();
        using var timeout = new CancellationTokenSource(
            spec.Limits.Timeout > TimeSpan.Zero ? spec.Limits.Timeout : Timeout.InfiniteTimeSpan, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        string? outputFailure = null;
        ServingLoop.Serve(output.Started, OutputFailed);

        // What an action leaves behind may hold our pipes open for ever: the copies end with the process, not with the pipes.
        using var copying = new CancellationTokenSource();
        var gate = new Lock();
        var stdout = CopyAsync(process.StandardOutput.BaseStream, OutputStream.Stdout, spec.Limits.StdoutBytesMax);
        var stderr = CopyAsync(process.StandardError.BaseStream, OutputStream.Stderr, spec.Limits.StderrBytesMax);
        try
        {
            await process.WaitForExitAsync(stop.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
        }

        var wall = time.GetElapsedTime(startedAt);
        copying.CancelAfter(LeftoverOutputWait);
        long[] dropped = await Task.WhenAll(stdout, stderr);
        var outcome = cancellationToken.IsCancellationRequested ? SandboxOutcome.Killed
            : outputFailure is not null ? SandboxOutcome.OutputLost
            : timeout.IsCancellationRequested ? SandboxOutcome.TimedOut
            : SandboxOutcome.Exited; // the runtime tells a signal only as 128 + its number
        return new SandboxReport
        {
            Outcome = outcome,
            ExitCode = process.ExitCode,
            Detail = outputFailure ?? "",
            WallTime = wall,
            StdoutDroppedBytes = dropped[0],
            StderrDroppedBytes = dropped[1],
        };

        void OutputFailed(Exception failure)
        {
            outputFailure ??= failure.Message;
            stop.Cancel();
        }

        async Task<long> CopyAsync(Stream from, OutputStream stream, long bytesMax)
        {
            var buffer = new byte[64 << 10];
            long total = 0;
            try
            {
                for (int count; (count = await from.ReadAsync(buffer, copying.Token)) > 0; total += count)
                {
                    int kept = (int)Math.Clamp(bytesMax - total, 0, count);
                    lock (gate)
                        if (kept > 0 && outputFailure is null) ServingLoop.Serve(() => output.Write(stream, buffer.AsSpan(0, kept)), OutputFailed);
                }
            }
            catch (OperationCanceledException)
            {
                // An orphan holds the pipe; the action itself is over.
            }

            return Math.Max(0, total - bytesMax);
        }
    }

    /// <summary>Long enough for bytes already in the pipe, short enough that an orphan does not hold up a build.</summary>
    private static readonly TimeSpan LeftoverOutputWait = TimeSpan.FromSeconds(1);

    private static ProcessStartInfo StartInfo(SandboxSpec spec, string program, string directory)
    {
        var start = new ProcessStartInfo(program, spec.Arguments.Skip(1))
        {
            WorkingDirectory = directory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        foreach (var (name, value) in spec.Environment) start.Environment[name] = value;
        return start;
    }

    /// <summary>REAPI X2, as the launcher's own search.</summary>
    private static string? FindProgram(SandboxSpec spec, string directory)
    {
        string name = spec.Arguments[0];
        if (name.Contains('/'))
        {
            string path = Path.Combine(directory, name);
            return File.Exists(path) ? path : null;
        }

        string searchPath = spec.Environment.FirstOrDefault(variable => variable.Key == "PATH").Value ?? "";
        return searchPath.Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Select(entry => Path.Combine(directory, entry, name))
            .FirstOrDefault(File.Exists);
    }
}
