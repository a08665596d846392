using System.Diagnostics;
using Microsoft.Extensions.Hosting;
using RemoteExec.Core;

namespace RemoteExec.Hosting;

/// <summary>How a program of ours begins and ends, the same for all that serve.</summary>
public static class ProgramHost
{
    private const int SentenceBytesMax = 8192;

    /// <summary>
    /// Reads the options (what is wrong with them is said in a sentence each, exit code 2), composes and starts the host (a failure
    /// that has a remedy is one sentence), runs it until SIGTERM or SIGINT, lets it drain, and answers the exit code.
    /// </summary>
    public static async Task<int> RunAsync<TOptions>(IProgram<TOptions> program, string[] arguments)
        where TOptions : class
    {
        var outcome = program.Table.Read(arguments, Environment.GetEnvironmentVariables());
        if (outcome.Answer is { } answer)
        {
            await Console.Out.WriteAsync(answer);
            return ExitCode.Done;
        }

        if (outcome.Options is not { } options)
        {
            foreach (string error in outcome.Errors)
                await SayAsync(program.Table.Program, error);
            return ExitCode.Usage;
        }

        using var signals = new StopSignals();
        try
        {
            await ServeAsync(program, options, signals);
            return ExitCode.Done;
        }
        catch (OperationCanceledException) when (signals.Stopping.IsCancellationRequested)
        {
            return ExitCode.Done; // told to stop while it was still starting
        }
        catch (Exception failure) when (program.Explain(failure, options) is { } refusal)
        {
            await SayAsync(program.Table.Program, refusal.Sentence);
            return refusal.ExitCode;
        }
    }

    private static async Task ServeAsync<TOptions>(IProgram<TOptions> program, TOptions options, StopSignals signals)
        where TOptions : class
    {
        var time = TimeProvider.System;
        // The last to go: what is logged while everything else ends is still written.
        using var provider = ProgramLog.CreateProvider(json: Console.IsErrorRedirected, time);
        using var logs = ProgramLog.CreateFactory(provider, program.LogLevelOf(options));
        using var listener = new LogTraceListener(logs.CreateLogger(program.Table.Program));
        Trace.Listeners.Add(listener);
        try
        {
            using var run = new ProgramRun(logs, time, program.DrainMaxOf(options), Console.Out, signals.Stopping, program.HurriesWith(options) ? signals.Hurry() : CancellationToken.None);
            var host = await program.ComposeAsync(options, run, signals.Stopping);
            await using var disposal = (IAsyncDisposable)host; // every host of Microsoft.Extensions.Hosting is
            await host.StartAsync(signals.Stopping);
            await host.WaitForShutdownAsync(CancellationToken.None);
            run.ThrowIfFailed();
        }
        finally
        {
            Trace.Listeners.Remove(listener);
        }
    }

    // What it quotes may be foreign: a file's name, a coordinator's words.
    private static Task SayAsync(string program, string sentence) =>
        Console.Error.WriteLineAsync($"{program}: {PrintableText.Escape(sentence, SentenceBytesMax)}");
}
