using System.Diagnostics;
using System.Globalization;
using NUnit.Framework;
using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker.Tests.Sandbox;

/// <summary>How actions end, what is told about it, and that nothing is left.</summary>
[TestFixture(false, TestName = "SandboxEndingTests")]
[TestFixture(true, TestName = "SandboxEndingTests, in a spare")]
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class SandboxEndingTests(bool inSpare) : SandboxFixture
{
    [SetUp]
    public async Task AwaitSpare()
    {
        if (!inSpare) return;
        await RunAsync(Spec("/bin/true"));
        await SpareAsync();
    }

    [Test]
    public async Task An_action_exits_with_its_code_and_its_output()
    {
        var ran = await RunAsync(Shell("echo out; echo err >&2; exit 7"));
        Assert.Multiple(() =>
        {
            Assert.That(ran.Report.Outcome, Is.EqualTo(SandboxOutcome.Exited));
            Assert.That(ran.Report.ExitCode, Is.EqualTo(7));
            Assert.That(ran.Stdout, Is.EqualTo("out\n"));
            Assert.That(ran.Stderr, Is.EqualTo("err\n"));
            Assert.That(ran.HasStarted);
            Assert.That(ran.Report.PeakMemoryBytes, Is.GreaterThan(0));
            Assert.That(ran.Report.WallTime, Is.GreaterThan(TimeSpan.Zero));
        });
    }

    [Test]
    public async Task A_signal_is_told_from_an_exit_code()
    {
        var ran = await RunAsync(Shell("kill -SEGV $$"));
        Assert.That((ran.Report.Outcome, ran.Report.Signal, ran.Report.ExitCode), Is.EqualTo((SandboxOutcome.Signaled, 11, 139)));
    }

    [Test]
    public async Task Used_processor_time_is_reported()
    {
        var ran = await RunAsync(Shell("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"));
        Assert.That(ran.Report.UserTime + ran.Report.SystemTime, Is.GreaterThan(TimeSpan.FromMilliseconds(1)));
    }

    [Test]
    public async Task What_the_kernel_counted_is_reported()
    {
        var ran = await RunAsync(Shell("sleep 0.01; echo done"));
        var kernel = ran.Report.Kernel!;
        Assert.Multiple(() =>
        {
            Assert.That(kernel.LargestProcessBytes, Is.InRange(64 << 10, ran.Report.PeakMemoryBytes));
            Assert.That(kernel.MinorFaults, Is.InRange(10, 1_000_000), "a shell and its libraries");
            Assert.That(kernel.VoluntarySwitches, Is.InRange(1, 1_000_000), "it waited");
            Assert.That(kernel.InvoluntarySwitches, Is.InRange(0, 1_000_000));
            Assert.That(kernel.MajorFaults, Is.InRange(0, 1_000_000));
            Assert.That((kernel.Swaps, kernel.MessagesSent, kernel.MessagesReceived, kernel.Signals), Is.EqualTo((0, 0, 0, 0)), "not counted by Linux");
        });
    }

    [Test]
    public async Task Of_a_program_that_was_never_started_nothing_was_counted()
    {
        var ran = await RunAsync(Spec("./nosuch"));
        Assert.That((ran.Report.Outcome, ran.Report.Kernel), Is.EqualTo((SandboxOutcome.ProgramNotFound, (KernelUsage?)null)));
        Assert.That(ran.Report.Detail, Does.StartWith("execve: "), "the text that follows the counts on the wire");
    }

    [TestCase("nosuch", "/usr/bin:/bin")]
    [TestCase("./nosuch", "/usr/bin")]
    [TestCase("/no/such", "/usr/bin")]
    [TestCase("ls", "/nowhere:/build")]
    [TestCase("probes", "")]
    public async Task A_program_that_is_not_there_has_its_own_outcome(string program, string path)
    {
        var ran = await RunAsync(Spec(program) with { Environment = [new("PATH", path)] });
        Assert.That(ran.Report.Outcome, Is.EqualTo(SandboxOutcome.ProgramNotFound), ran.ToString());
        Assert.That(ran.HasStarted, Is.False);
    }

    [TestCase("probes", "/build", "")]
    [TestCase("../probes", "", "sub")]
    [TestCase("/build/probes", "", "sub")]
    [TestCase("probes", "/nowhere::..", "sub")]
    public async Task A_program_is_found_by_the_protocol_s_rule(string program, string path, string directory)
    {
        Directory.CreateDirectory(Path.Combine(InputRoot, "sub"));
        var ran = await RunAsync(Spec(program, "escape") with
        {
            Environment = [new("PATH", path)],
            WorkingDirectory = directory,
        });
        Assert.That(ran.Stdout, Is.EqualTo("escaped\n"), ran.ToString());
    }

    [TestCase("plain", "no exec bit")]
    [TestCase("script", "#!/no/such/interpreter\n")]
    public async Task A_program_that_cannot_run_is_not_a_missing_one(string name, string content)
    {
        string path = Path.Combine(InputRoot, name);
        await File.WriteAllTextAsync(path, content);
        File.SetUnixFileMode(path, (UnixFileMode)(name == "plain" ? 0b110_100_100 : 0b111_101_101));
        var ran = await RunAsync(Spec("./" + name));
        Assert.That(ran.Report.Outcome, Is.EqualTo(SandboxOutcome.ProgramNotRunnable), ran.ToString());
    }

    [TestCase("missing")]
    [TestCase("..")]
    [TestCase("probes")]
    [TestCase("out")]
    [TestCase("self")]
    public async Task A_working_directory_that_is_missing_or_leads_out_is_refused(string directory)
    {
        File.CreateSymbolicLink(Path.Combine(InputRoot, "out"), "/usr");
        File.CreateSymbolicLink(Path.Combine(InputRoot, "self"), "/proc/self/fd");
        var ran = await RunAsync(Shell("pwd") with { WorkingDirectory = directory });
        Assert.That(ran.Report.Outcome, Is.EqualTo(SandboxOutcome.WorkingDirectoryInvalid), ran.ToString());
    }

    [Test]
    public async Task A_timeout_keeps_the_output_until_then()
    {
        var spec = Spec("./probes", "wait");
        var ran = await RunAsync(spec with { Limits = spec.Limits with { Timeout = TimeSpan.FromMilliseconds(300) } });
        Assert.That(ran.Report.Outcome, Is.EqualTo(SandboxOutcome.TimedOut), ran.ToString());
        Assert.That(ran.Stdout, Is.EqualTo("waiting\n"));
    }

    [Test]
    public async Task Cancelling_kills_the_tree()
    {
        using var cancel = new CancellationTokenSource();
        var run = await StartWaitingAsync(cancel.Token);
        AssertProbeLives();
        await cancel.CancelAsync();
        Assert.That((await run).Outcome, Is.EqualTo(SandboxOutcome.Killed));
        AssertNoProbeLives();
    }

    [Test]
    public async Task What_an_action_leaves_behind_ends_with_it()
    {
        var ran = await RunAsync(Spec("./probes", "escape"));
        Assert.That(ran.Report.Outcome, Is.EqualTo(SandboxOutcome.Exited));
        Assert.That(ran.Stdout, Is.EqualTo("escaped\n"));
        AssertNoProbeLives();
    }

    [Test]
    public async Task Output_past_its_bound_is_drained_and_counted()
    {
        var spec = Shell("head -c 300000 /dev/zero; echo done >&2");
        var ran = await RunAsync(spec with { Limits = spec.Limits with { StdoutBytesMax = 1000 } });
        Assert.That(ran.Stdout, Has.Length.EqualTo(1000));
        Assert.That(ran.Stderr, Is.EqualTo("done\n"));
        Assert.That(ran.Report.StdoutDroppedBytes, Is.EqualTo(299_000));
    }

    [Test]
    public async Task Large_output_arrives_whole()
    {
        var ran = await RunAsync(Shell("head -c 12000000 /dev/zero | tr '\\0' x; echo end >&2"));
        Assert.That(ran.Stdout, Has.Length.EqualTo(12_000_000));
        Assert.That(ran.Stdout.TrimEnd('x'), Is.Empty);
        Assert.That(ran.Stderr, Is.EqualTo("end\n"));
    }

    [Test]
    public async Task Too_much_memory_is_told_as_such()
    {
        RequireLimits();
        var spec = Spec("./probes", "hog");
        var ran = await RunAsync(spec with { Limits = spec.Limits with { MemoryBytes = 32 << 20 } });
        Assert.That(ran.Report.Outcome, Is.EqualTo(SandboxOutcome.MemoryLimit), ran.ToString());
        Assert.That(ran.Report.PeakMemoryBytes, Is.InRange(16 << 20, 33 << 20));

        // The group is used again: nothing of that must stick to the next.
        var next = await RunAsync(spec with { Arguments = ["/bin/false"], Limits = spec.Limits with { MemoryBytes = 64 << 20 } });
        Assert.That(next.Report.Outcome, Is.EqualTo(SandboxOutcome.Exited), next.ToString());
    }

    [Test]
    public async Task A_fork_bomb_stops_at_the_limit()
    {
        RequireLimits();
        var spec = Spec("./probes", "bomb");
        var ran = await RunAsync(spec with { Limits = spec.Limits with { ProcessesMax = 50 } });
        Assert.That(ran.Stdout, Is.EqualTo("49 EAGAIN\n"), ran.ToString());
        AssertNoProbeLives();
    }

    [Test]
    public async Task A_fork_bomb_stops_at_the_limit_also_where_there_are_no_cgroups()
    {
        var spec = Spec("./probes", "bomb");
        var ran = await RunAsync(spec with { Walls = spec.Walls & ~SandboxWalls.Limits, Limits = spec.Limits with { ProcessesMax = 50 } });
        Assert.That(ran.Stdout, Is.EqualTo("49 EAGAIN\n"), ran.ToString());
        AssertNoProbeLives();
    }

    [Test]
    public async Task Arguments_travel_as_they_are()
    {
        string[] words = ["", " ", "a b", "ü\n", "$HOME", "--", new string('x', 100_000)];
        var ran = await RunAsync(Spec(["/usr/bin/printf", "%s|", .. words]));
        Assert.That(ran.Stdout, Is.EqualTo(string.Concat(words.Select(word => word + "|"))));
    }

    [TestCase("a\0b")]
    [TestCase(null)]
    public async Task A_spec_that_cannot_be_said_is_refused(string? argument)
    {
        var ran = await RunAsync(Spec(argument is null ? [] : [argument]));
        Assert.That(ran.Report.Outcome, Is.EqualTo(SandboxOutcome.SpecInvalid));
    }

    [Test]
    public async Task Many_actions_at_once_each_get_their_own_answer()
    {
        var runs = Enumerable.Range(0, 60).Select(async number =>
            (number, ran: await RunAsync(Shell($"echo {number}; exit {number}"))));
        foreach (var (number, ran) in await Task.WhenAll(runs))
        {
            Assert.That(ran.Report.ExitCode, Is.EqualTo(number), ran.ToString());
            Assert.That(ran.Stdout, Is.EqualTo($"{number}\n"));
        }
    }

    [Test]
    public async Task Actions_that_end_while_others_start_are_not_taken_for_these()
    {
        async Task RunManyAsync(int code)
        {
            for (int i = 0; i < 150; i++)
            {
                var ran = await RunAsync(Spec("./probes", "exit", code.ToString(CultureInfo.InvariantCulture)));
                Assert.That((ran.Report.Outcome, ran.Report.ExitCode), Is.EqualTo((SandboxOutcome.Exited, code)), ran.ToString());
            }
        }

        await Task.WhenAll(Enumerable.Range(1, 3).Select(RunManyAsync));
    }

    [Test]
    public async Task A_launcher_killed_takes_its_actions_along_and_the_next_one_starts()
    {
        var run = await StartWaitingAsync(CancellationToken.None);
        using (var launcher = Process.GetProcessById(Launcher.ProcessId!.Value))
            launcher.Kill();

        Assert.That((await run).Outcome, Is.EqualTo(SandboxOutcome.LauncherLost));
        Assert.That((await RunAsync(Shell("exit 3"))).Report.ExitCode, Is.EqualTo(3));
        await ProbesAreGoneAsync();
    }

    [Test]
    public async Task An_output_that_throws_fails_its_own_action_and_touches_no_other()
    {
        var other = await StartWaitingAsync(CancellationToken.None);
        var broken = new BrokenOutput();

        var report = await Launcher.RunAsync(Shell("echo lost; exec sleep 1000"), broken, CancellationToken.None);

        Assert.That((report.Outcome, report.Detail), Is.EqualTo((SandboxOutcome.OutputLost, "nobody thought of this")));
        Assert.That(broken.Writes, Is.EqualTo(1), "what comes after a gap is not given to it");
        Assert.That(other.IsCompleted, Is.False);
        Assert.That((await RunAsync(Shell("echo heard; exit 3"))).Stdout, Is.EqualTo("heard\n"), "the same launcher serves the next");
    }

    [Test]
    public async Task A_launcher_that_makes_no_sense_fails_its_actions_and_the_next_asks_another()
    {
        await using var launcher = new SandboxLauncher(NonsenseOptions);
        var first = await launcher.RunAsync(Spec("true"), new Output(), CancellationToken.None);
        var second = await launcher.RunAsync(Spec("true"), new Output(), CancellationToken.None);

        Assert.That(new[] { first.Outcome, second.Outcome }, Is.All.EqualTo(SandboxOutcome.LauncherLost));
    }

    [Test]
    public async Task A_launcher_that_cannot_be_started_is_a_lost_one()
    {
        await using var launcher = new SandboxLauncher(new SandboxLauncherOptions { LauncherPath = Path.Combine(InputRoot, "nothing") });

        var report = await launcher.RunAsync(Spec("true"), new Output(), CancellationToken.None);

        Assert.That(report.Outcome, Is.EqualTo(SandboxOutcome.LauncherLost));
        Assert.That(report.Detail, Is.Not.Empty);
    }

    [Test]
    public async Task Closing_the_worker_s_side_ends_everything()
    {
        var run = await StartWaitingAsync(CancellationToken.None);
        AssertProbeLives();
        int launcher = Launcher.ProcessId!.Value;
        await Launcher.DisposeAsync();
        Assert.That((await run).Outcome, Is.EqualTo(SandboxOutcome.LauncherLost));
        AssertNoProbeLives();
        Assert.That(Directory.Exists($"/proc/{launcher}"), Is.False);
        Assert.That(GroupsOf(launcher), Is.Empty);
    }

    [Test]
    public async Task Nothing_is_left_after_many_actions()
    {
        string[] mounts = await MountsAsync();
        for (int i = 0; i < 100; i++) await RunAsync(Spec("./probes", "escape"));
        int launcher = Launcher.ProcessId!.Value;
        int descriptors = Directory.GetFiles($"/proc/{launcher}/fd").Length;
        for (int i = 0; i < 100; i++) await RunAsync(Spec("./probes", "escape"));
        // The last init may still be on its way out, with its five descriptors.
        Assert.That(Directory.GetFiles($"/proc/{launcher}/fd"), Has.Length.LessThan(descriptors + 20));
        await Launcher.DisposeAsync();

        Assert.That(await MountsAsync(), Is.EqualTo(mounts));
        Assert.That(GroupsOf(launcher), Is.Empty);
        AssertNoProbeLives();
    }

    private sealed class BrokenOutput : ISandboxOutput
    {
        public int Writes { get; private set; }

        public void Started()
        {
        }

        public void Write(OutputStream stream, ReadOnlySpan<byte> data)
        {
            Writes++;
            throw new NotSupportedException("nobody thought of this");
        }
    }

    /// <summary>
    /// What a launcher could leave to this machine: something of the input root, or something on /sys, where it builds its template. Others
    /// mount what they like meanwhile.
    /// </summary>
    private async Task<string[]> MountsAsync() =>
    [
        .. from line in await File.ReadAllLinesAsync("/proc/self/mountinfo")
           let fields = line.Split(' ') // proc_pid_mountinfo(5): the fourth is what is mounted, the fifth where
           where line.Contains(Path.GetFileName(InputRoot), StringComparison.Ordinal) || fields[4] == "/sys"
           select line,
    ];

    private static void RequireLimits()
    {
        if (!Environment.IsPrivilegedProcess) Assert.Ignore("cgroups need root here");
    }

    /// <summary>Processes of this test's own copy of the program; others run theirs at the same time, under the same path.</summary>
    private string[] ProbesAlive()
    {
        var own = IdentityOf(Path.Combine(InputRoot, "probes"));
        return [.. Directory.GetDirectories("/proc").Where(directory =>
        {
            try
            {
                return IdentityOf(Path.Combine(directory, "exe")) == own;
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                return false; // no process, ended while we looked, or not ours
            }
        })];
    }

    private static ((uint, uint) Device, ulong Inode) IdentityOf(string program)
    {
        using var file = File.OpenHandle(program, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var status = FileStatus.Of(file);
        return (status.Device, status.Inode);
    }

    private void AssertProbeLives() => Assert.That(ProbesAlive(), Is.Not.Empty, "or its end could not be seen");

    private void AssertNoProbeLives() => Assert.That(ProbesAlive(), Is.Empty);

    /// <summary>A launcher that was killed kills its trees through the kernel, which says so to nobody: look until they are gone.</summary>
    private async Task ProbesAreGoneAsync()
    {
        while (ProbesAlive().Length > 0) await Task.Yield();
    }
}
