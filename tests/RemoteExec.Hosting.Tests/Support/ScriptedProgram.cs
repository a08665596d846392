using System.Diagnostics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Hosting.Tests;

/// <summary>A program with nothing in it but a life.</summary>
internal sealed class ScriptedProgram : IProgram<ScriptedOptions>
{
    /// <summary>More than the log's queue and a pipe hold together.</summary>
    public const int FloodLines = 30_000;

    public OptionTable<ScriptedOptions> Table => ScriptedOptions.Table;

    public LogLevel LogLevelOf(ScriptedOptions options) => LogLevel.Information;

    public TimeSpan DrainMaxOf(ScriptedOptions options) => options.DrainMax;

    public bool HurriesWith(ScriptedOptions options) => options.Life == ScriptedLife.HurryForEver;

    public async Task<IHost> ComposeAsync(ScriptedOptions options, ProgramRun run, CancellationToken cancellationToken)
    {
        if (options.Life == ScriptedLife.RefuseToStart) throw new IOException("the cellar is full");
        if (options.Life == ScriptedLife.StartForEver)
        {
            await Console.Out.WriteLineAsync("starting");
            await Task.Delay(Timeout.InfiniteTimeSpan, run.Time, cancellationToken);
        }

        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        run.AddTo(builder, new Work(options.Life, run));
        return builder.Build();
    }

    public Refusal? Explain(Exception failure, ScriptedOptions options) =>
        failure is IOException ? new Refusal(ExitCode.Unavailable, $"{failure.Message}; dig") : null;

    private sealed class Work(ScriptedLife life, ProgramRun run) : IProgramWork
    {
        private readonly ILogger _log = run.Logs.CreateLogger("Scripted.Work");

        public string Welcome => "welcome";

        public async Task RunAsync(CancellationToken stopping)
        {
            switch (life)
            {
                case ScriptedLife.Fail:
                    throw new IOException("the roof came down");
                case ScriptedLife.Trace:
                    Trace.TraceError("told to nobody");
                    break;
                case ScriptedLife.ShowSockets:
                    foreach (var socket in InheritedSockets.Take(Environment.GetEnvironmentVariables()))
                        await Console.Out.WriteLineAsync($"{socket.Name} {socket.Address}");
                    using (var child = Process.Start("sh", ["-c", "readlink /proc/$$/fd/3; echo end of child"]))
                        await child.WaitForExitAsync(CancellationToken.None);
                    break;
                case ScriptedLife.Flood:
                    for (int i = 0; i < FloodLines; i++) Say("a drop in the flood");
                    // Past the console, which lets nobody write to the one output while a write to the other waits.
                    await using (var output = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write))
                        await output.WriteAsync("flooded\n"u8.ToArray(), CancellationToken.None);
                    await Console.In.ReadLineAsync(CancellationToken.None);
                    Say("the flood is over");
                    break;
            }

            await UntilAsync(stopping);
            if (life is ScriptedLife.DrainForEver or ScriptedLife.HurryForEver)
            {
                await Console.Out.WriteLineAsync("draining");
                if (life == ScriptedLife.HurryForEver)
                {
                    await UntilAsync(run.Hurrying);
                    await Console.Out.WriteLineAsync("hurrying");
                }

                await Task.Delay(Timeout.InfiniteTimeSpan, run.Time, CancellationToken.None);
            }

            Say("drained");
        }

        public ValueTask DisposeAsync()
        {
            Say("disposed");
            return ValueTask.CompletedTask;
        }

        private void Say(string words) => _log.Log(LogLevel.Information, default, words, null, (text, _) => text);

        private static async Task UntilAsync(CancellationToken stopping)
        {
            var stopped = new TaskCompletionSource();
            await using var registration = stopping.Register(stopped.SetResult);
            await stopped.Task;
        }
    }
}
