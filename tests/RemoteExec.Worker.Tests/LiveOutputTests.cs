using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using NUnit.Framework;
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

        Assert.That(report.Result.StdoutRaw.ToStringUtf8(), Is.EqualTo("one two"));
        Assert.That(bench.Reports.Rest(), Is.Empty);
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

        Assert.That(report.Result.StdoutRaw.ToStringUtf8(), Is.EqualTo("quick"));
        Assert.That(bench.Reports.Rest(), Is.Empty);
    }

    [Test]
    public async Task The_last_words_are_shown_before_the_report()
    {
        await using var bench = new ActionBench(_time);
        var sandbox = new ScriptedSandbox(async (_, output, _) =>
        {
            output.Write(OutputStream.Stdout, "first"u8);
            _time.Advance(2 * Interval);
            await bench.Reports.NextAsync();
            output.Write(OutputStream.Stdout, ", last"u8);
            output.Write(OutputStream.Stderr, "why"u8);
            return Exited;
        });

        await bench.RunAsync(sandbox, bench.Lease(new WireCommand { Arguments = { "tool" } }));

        Assert.That(bench.Reports.Rest().Select(Describe), Is.EqualTo([(Stdout, 5L, ", last"), (Stderr, 0L, "why")]));
    }

    [Test]
    public async Task Much_output_goes_in_pieces_and_past_the_bound_only_with_the_result()
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

        var pieces = bench.Reports.Rest();
        Assert.That(pieces.Max(piece => piece.Data.Length), Is.EqualTo(64 << 10));
        Assert.That(pieces.SelectMany(piece => piece.Data), Is.EqualTo(text.Take(1 << 20)));
        Assert.That(report.Result.StdoutDigest.SizeBytes, Is.EqualTo(text.Length));
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

        Assert.That(bench.Reports.Rest().Single().Lease, Is.EqualTo(lease.Lease_));
    }

    [Test]
    public async Task A_command_that_is_over_within_a_moment_allocates_nothing_for_this()
    {
        using var folder = new TemporaryFolder();
        await using var directories = WorkDirectories.Open(folder.Path, Posix.EffectiveUser, recycles: false, NullLogger.Instance);
        await using var directory = await directories.TakeAsync(default);
        using var run = new CommandRun(new StageClock("w", queued: null, _time), directory);
        await using var live = new LiveOutputs(_time);
        var lease = new LeaseId();
        var reports = new CollectedReports();
        bool wasQuick = EnterAndLeave(); // makes the list, starts the timer, compiles

        long before = GC.GetAllocatedBytesForCurrentThread();
        wasQuick &= EnterAndLeave();
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.That((wasQuick, allocated), Is.EqualTo((true, 0L)));

        bool EnterAndLeave()
        {
            live.Enter(run, lease, reports);
            return live.LeaveAsync(run).AsTask().IsCompletedSuccessfully;
        }
    }

    private static async ValueTask<(LeaseOutput.Types.Stream, long, string)> NextAsync(ActionBench bench) =>
        Describe(await bench.Reports.NextAsync());

    private static (LeaseOutput.Types.Stream, long, string) Describe(LeaseOutput output) =>
        (output.Stream, output.Offset, Encoding.UTF8.GetString(output.Data.Span));
}
