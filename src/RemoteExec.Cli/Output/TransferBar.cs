using Spectre.Console;

namespace RemoteExec.Cli;

/// <summary>A bar on standard error while bytes travel, and nothing at all when nobody watches.</summary>
internal sealed class TransferBar
{
    private readonly ProgressTask? _task;

    private TransferBar(ProgressTask? task) => _task = task;

    /// <summary>Shows a bar until the work is over; nothing of it stays.</summary>
    public static async Task<T> ShowAsync<T>(CliConsole console, string what, Func<TransferBar, Task<T>> work)
    {
        if (!console.IsWatched) return await work(new TransferBar(task: null));

        using var writer = new TerminalWriter(console.Error);
        var terminal = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.Yes,
            ColorSystem = ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.Yes,
            Out = new TerminalOutput(writer),
        });
        return await terminal.Progress().AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new DownloadedColumn(), new TransferSpeedColumn())
            .StartAsync(async progress => await work(new TransferBar(progress.AddTask(what, new ProgressTaskSettings { AutoStart = true }).IsIndeterminate())));
    }

    /// <summary>From now on it is known how much there is.</summary>
    public void Plan(long bytes)
    {
        if (_task is null) return;

        _task.IsIndeterminate = false;
        _task.MaxValue = Math.Max(bytes, 1);
    }

    public void Add(long bytes) => _task?.Increment(bytes);
}
