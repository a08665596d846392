using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker.Tests;

/// <summary>Time stands still except where a command, which is a method here, moves it.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class LiveOutputTests
{
    private const LeaseOutput.Types.Stream Stdout = LeaseOutput.Types.Stream.Stdout;
    private const LeaseOutput.Types.Stream Stderr = LeaseOutput.Types.Stream.Stderr;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);
    private static readonly SandboxReport Exited = new() { Outcome = SandboxOutcome.Exited };

    private readonly ManualTime _time = new();

    [Test]
    public async Task What_a_command_writes_is_shown_while_it_runs()
    {
        await using var bench = new ActionBench(_time);
        var sandbox = new ScriptedSandbox(async (_, output, _) =>
        {
            output.Write(OutputStream.Stdout, "one "u8);
            output.Write(OutputStream.Stdout, "two"u8);
            output.Write(OutputStream.Stderr, "oh"u8);
            _time.Advance(2 * Interval);
            Assert.That(await NextAsync(bench), Is.EqualTo((Stdout, 0L, "one two")), "what came together goes together");
            Assert.That(await NextAsync(bench), Is.EqualTo((Stderr, 0L, "oh")));
            return Exited;
        });

        var report = await bench.RunAsync(sandbox, bench.Lease(new WireCommand { Arguments = { "tool" } }));

        Assert.That(report.InlineResult.StdoutRaw.ToStringUtf8(), Is.EqualTo("one two"));
        Assert.That(bench.Watcher.Rest(), Is.Empty);
    }

    [Test]
    public async Task A_command_that_is_over_within_a_moment_shows_nothing()
    {
        await using var bench = new ActionBench(_time);
        var sandbox = new ScriptedSandbox((_, output, _) =>
        {
            output.Write(OutputStream.Stdout, "quick"u8);
            _time.Advance(2 * Interval - TimeSpan.FromTicks(1));
            return ValueTask.FromResult(Exited);
        });

        var report = await bench.RunAsync(sandbox, bench.Lease(new WireCommand { Arguments = { "tool" } }));

        Assert.That(report.InlineResult.StdoutRaw.ToStringUtf8(), Is.EqualTo("quick"));
        Assert.That(bench.Watcher.Rest(), Is.Empty);
    }

    [Test]
    public async Task The_last_words_are_shown_and_the_report_does_not_wait_for_them()
    {
        await using var bench = new ActionBench(_time);
        var sandbox = new ScriptedSandbox(async (_, output, _) =>
        {
            output.Write(OutputStream.Stdout, "first"u8);
            _time.Advance(2 * Interval);
            await bench.Watcher.NextAsync();
            output.Write(OutputStream.Stdout, ", last"u8);
            output.Write(OutputStream.Stderr, "why"u8);
            return Exited;
        });

        await bench.RunAsync(sandbox, bench.Lease(new WireCommand { Arguments = { "tool" } }));
        _time.Advance(Interval);

        Assert.That(await NextAsync(bench), Is.EqualTo((Stdout, 5L, ", last")));
        Assert.That(await NextAsync(bench), Is.EqualTo((Stderr, 0L, "why")));
    }

    [Test]
    public async Task Much_output_at_once_goes_in_pieces_and_rounds_and_none_of_it_is_left_out()
    {
        await using var bench = new ActionBench(_time);
        byte[] text = new byte[3 << 20];
        new Random(1).NextBytes(text); // seed 1
        var sandbox = new ScriptedSandbox((_, output, _) =>
        {
            foreach (byte[] chunk in text.Chunk(100_000)) output.Write(OutputStream.Stdout, chunk);
            _time.Advance(2 * Interval);
            return ValueTask.FromResult(Exited);
        });

        var report = await bench.RunAsync(sandbox, bench.Lease(new WireCommand { Arguments = { "tool" } }));

        var pieces = await ShownAsync(bench, text.Length);
        Assert.That(pieces.Max(piece => piece.Data.Length), Is.EqualTo(64 << 10));
        Assert.That(pieces.SelectMany(piece => piece.Data), Is.EqualTo(text));
        Assert.That(report.InlineResult.StdoutDigest.SizeBytes, Is.EqualTo(text.Length));
    }

    [Test]
    public async Task F16_what_is_written_bit_by_bit_is_shown_to_the_end_however_long_it_is()
    {
        await using var bench = new ActionBench(_time);
        byte[] text = new byte[3 << 20];
        new Random(2).NextBytes(text); // seed 2
        var shown = new List<LeaseOutput>();
        var sandbox = new ScriptedSandbox(async (_, output, _) =>
        {
            _time.Advance(2 * Interval);
            foreach (byte[] chunk in text.Chunk(300_000))
            {
                output.Write(OutputStream.Stdout, chunk);
                shown.AddRange(await ShownAsync(bench, chunk.Length));
            }

            return Exited;
        });

        await bench.RunAsync(sandbox, bench.Lease(new WireCommand { Arguments = { "tool" } }));

        Assert.That(shown.SelectMany(piece => piece.Data), Is.EqualTo(text));
    }

    [Test]
    public async Task Output_names_the_attempt_that_wrote_it()
    {
        await using var bench = new ActionBench(_time);
        var lease = bench.Lease(new WireCommand { Arguments = { "tool" } });
        lease.Lease_.Attempt = 3;
        var sandbox = new ScriptedSandbox((_, output, _) =>
        {
            output.Write(OutputStream.Stderr, "x"u8);
            _time.Advance(2 * Interval);
            return ValueTask.FromResult(Exited);
        });

        await bench.RunAsync(sandbox, lease);

        _time.Advance(Interval);
        var piece = await bench.Watcher.NextAsync();
        Assert.That((piece.Lease, piece.WorkerId), Is.EqualTo((lease.Lease_, "bench")));
    }

    [Test]
    public async Task A_command_that_is_over_within_a_moment_allocates_nothing_for_this()
    {
        using var folder = new TemporaryFolder();
        await using var directories = WorkDirectories.Open(folder.Path, Posix.EffectiveUser, NullLogger.Instance);
        await using var directory = await directories.TakeAsync(default);
        using var run = Run(directory);
        await using var live = new LiveOutputs("w", new Lines(), _time);
        var lease = new LeaseId();
        EnterAndLeave(); // makes the list, starts the timer, compiles

        long before = GC.GetAllocatedBytesForCurrentThread();
        EnterAndLeave();
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.That(allocated, Is.Zero);

        void EnterAndLeave()
        {
            live.Enter(run, lease);
            live.Leave(run);
        }
    }

    [Test]
    public async Task A_coordinator_that_takes_no_output_holds_neither_a_slot_nor_a_report()
    {
        await using var bench = new ActionBench(_time);
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        bench.Watcher.Before = async (_, cancellationToken) =>
        {
            asked.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
        };
        var sandbox = new ScriptedSandbox(async (_, output, _) =>
        {
            output.Write(OutputStream.Stdout, "unheard"u8);
            _time.Advance(2 * Interval);
            await asked.Task;
            return Exited;
        });

        // One slot: the second runs only because the first is through.
        for (int i = 0; i < 2; i++)
        {
            var report = await bench.RunAsync(sandbox, bench.Lease(new WireCommand { Arguments = { "tool" } }));
            Assert.That(report.InlineResult.StdoutRaw.ToStringUtf8(), Is.EqualTo("unheard"));
        }
    }

    [Test]
    public async Task A_piece_that_was_not_taken_is_shown_again()
    {
        await using var bench = new ActionBench(_time);
        bool isFirst = true;
        bench.Watcher.Before = (_, _) =>
        {
            (bool fails, isFirst) = (isFirst, false);
            return fails ? Task.FromException(new NotSupportedException("nobody thought of this")) : Task.CompletedTask;
        };
        var sandbox = new ScriptedSandbox(async (_, output, _) =>
        {
            output.Write(OutputStream.Stdout, "again"u8);
            _time.Advance(2 * Interval);
            await _time.WaitForTimerAsync(TimeSpan.FromSeconds(1)); // the pause after the failure
            _time.Advance(TimeSpan.FromSeconds(1));
            Assert.That(await NextAsync(bench), Is.EqualTo((Stdout, 0L, "again")));
            return Exited;
        });

        await bench.RunAsync(sandbox, bench.Lease(new WireCommand { Arguments = { "tool" } }));
    }

    [Test]
    public async Task A_log_that_cannot_be_read_is_shown_no_further_and_the_others_are()
    {
        using var folder = new TemporaryFolder();
        await using var directories = WorkDirectories.Open(folder.Path, Posix.EffectiveUser, NullLogger.Instance);
        var (first, second) = (await directories.TakeAsync(default), await directories.TakeAsync(default));
        using CommandRun unreadable = Run(first), readable = Run(second);
        var watcher = new WatchingCoordinator();
        var lines = new Lines();
        lines.Open(new Line(watcher, Limits.Default, _time));
        await using var live = new LiveOutputs("w", lines, _time);
        live.Enter(unreadable, new LeaseId { Attempt = 1 });
        live.Enter(readable, new LeaseId { Attempt = 2 });
        unreadable.Stdout.Write(new byte[200_000]);
        File.WriteAllBytes(first.PathBeside("stdout"), []); // what a bad disk does

        foreach (string word in (string[])["one", "two"])
        {
            readable.Stdout.Write(Encoding.UTF8.GetBytes(word));
            _time.Advance(2 * Interval);
            var piece = await watcher.NextAsync();
            Assert.That((piece.Lease.Attempt, piece.Data.ToStringUtf8()), Is.EqualTo((2, word)));
            await _time.WaitForTimerAsync(Interval); // the next round is ordered
        }

        live.Leave(unreadable);
        live.Leave(readable);
        await first.DisposeAsync();
        await second.DisposeAsync();
    }

    [Test]
    public async Task What_commands_had_not_shown_when_they_ended_is_kept_up_to_a_bound()
    {
        const int BytesMax = 4 << 20;
        await using var bench = new ActionBench(_time);
        var open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        bench.Watcher.Before = (_, _) => open.Task;
        var sandbox = new ScriptedSandbox((_, output, _) =>
        {
            output.Write(OutputStream.Stdout, new byte[1 << 20]);
            _time.Advance(2 * Interval);
            return ValueTask.FromResult(Exited);
        });
        for (int i = 0; i < 10; i++) await bench.RunAsync(sandbox, bench.Lease(new WireCommand { Arguments = { "tool" } }));

        open.SetResult();
        await ShownAsync(bench, BytesMax);
        long more = 0;
        for (int i = 0; i < 100; i++)
        {
            _time.Advance(Interval);
            more += bench.Watcher.Rest().Sum(piece => piece.Data.Length);
            await Task.Yield();
        }

        Assert.That(more, Is.LessThanOrEqualTo(64 << 10), "but for the piece that was on its way");
    }

    private CommandRun Run(WorkDirectory directory) =>
        new(new SandboxSpec { Arguments = ["tool"], Environment = [], InputRootPath = directory.InputRoot }, new StageClock("w", queued: null, _time), directory, logBytesMax: 64 << 20);

    /// <summary>Lets time go on until so much has arrived.</summary>
    private async Task<List<LeaseOutput>> ShownAsync(ActionBench bench, long bytes)
    {
        var pieces = new List<LeaseOutput>();
        while (pieces.Sum(piece => piece.Data.Length) < bytes)
        {
            _time.Advance(Interval);
            pieces.AddRange(bench.Watcher.Rest());
            await Task.Yield();
        }

        return pieces;
    }

    private static async ValueTask<(LeaseOutput.Types.Stream, long, string)> NextAsync(ActionBench bench) =>
        Describe(await bench.Watcher.NextAsync());

    private static (LeaseOutput.Types.Stream, long, string) Describe(LeaseOutput output) =>
        (output.Stream, output.Offset, Encoding.UTF8.GetString(output.Data.Span));
}
