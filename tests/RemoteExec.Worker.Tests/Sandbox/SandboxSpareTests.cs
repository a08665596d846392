using System.Diagnostics;
using NUnit.Framework;
using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker.Tests.Sandbox;

/// <summary>The life of a spare: made after an action, used by one, gone with its launcher.</summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class SandboxSpareTests : SandboxFixture
{
    private static readonly string[] Namespaces = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"];

    [SetUp]
    public async Task RunOne() => await RunAsync(Spec("/bin/true"));

    [Test]
    public async Task An_action_runs_in_the_spare_and_the_next_gets_another()
    {
        int spare = await SpareAsync();
        using var cancel = new CancellationTokenSource();
        var run = await StartWaitingAsync(cancel.Token);
        Assert.That(ChildrenOf(spare), Has.Length.EqualTo(1));
        Assert.That(await SpareAsync(), Is.Not.EqualTo(spare));
        await cancel.CancelAsync();
        Assert.That((await run).Outcome, Is.EqualTo(SandboxOutcome.Killed));
        await IsGoneAsync(spare);
    }

    [Test]
    public async Task Two_specs_at_once_both_run_and_share_no_namespace_with_each_other_or_the_spare()
    {
        if (!Environment.IsPrivilegedProcess) Assert.Ignore("only root may look at another's namespaces");
        await SpareAsync();
        using var cancel = new CancellationTokenSource();
        Task<SandboxReport>[] runs = await Task.WhenAll(StartWaitingAsync(cancel.Token), StartWaitingAsync(cancel.Token));
        await SpareAsync();

        int[] inits = ChildrenOf(Launcher.ProcessId!.Value);
        Assert.That(inits, Has.Length.EqualTo(3));
        foreach (string name in Namespaces)
            Assert.That(inits.Append(Environment.ProcessId).Select(pid => new FileInfo($"/proc/{pid}/ns/{name}").LinkTarget), Is.Unique, name);

        await cancel.CancelAsync();
        foreach (var run in runs) Assert.That((await run).Outcome, Is.EqualTo(SandboxOutcome.Killed));
    }

    [Test]
    public async Task A_spare_that_was_killed_is_replaced()
    {
        int spare = await SpareAsync();
        using (var process = Process.GetProcessById(spare)) process.Kill();
        await IsGoneAsync(spare);

        Assert.That((await RunAsync(Shell("exit 3"))).Report.ExitCode, Is.EqualTo(3));
        Assert.That(await SpareAsync(), Is.Not.EqualTo(spare));
        Assert.That((await RunAsync(Shell("exit 4"))).Report.ExitCode, Is.EqualTo(4));
    }

    [Test]
    public async Task A_spec_with_other_settings_gets_what_it_asks_for_and_the_spare_ends()
    {
        int spare = await SpareAsync();
        var spec = Shell("df -B1 --output=size /tmp | tail -n 1; grep ^Seccomp: /proc/self/status");
        var other = await RunAsync(spec with
        {
            Walls = spec.Walls & ~SandboxWalls.SystemCalls,
            Limits = spec.Limits with { ScratchBytes = 1 << 20 },
        });
        Assert.That(other.Stdout.Split(default(char[]), StringSplitOptions.RemoveEmptyEntries), Is.EqualTo(["1048576", "Seccomp:", "0"]));
        await IsGoneAsync(spare);

        var usual = await RunAsync(spec);
        Assert.That(usual.Stdout, Does.EndWith("Seccomp:\t2\n").And.Not.StartsWith("1048576\n"));
    }

    [Test]
    public async Task What_a_spare_need_not_know_may_differ_from_action_to_action()
    {
        int spare = await SpareAsync();
        var spec = Shell("ulimit -n; hostname; pwd");
        Directory.CreateDirectory(Path.Combine(InputRoot, "sub"));
        var ran = await RunAsync(spec with
        {
            HostName = "another",
            WorkingDirectory = "sub",
            Limits = spec.Limits with { OpenFilesMax = 77, ProcessesMax = 9 },
        });
        Assert.That(ran.Stdout, Is.EqualTo("77\nanother\n/build/sub\n"), ran.ToString());
        await IsGoneAsync(spare);
    }

    [Test]
    public async Task A_limit_set_after_the_spare_was_made_holds()
    {
        if (!Environment.IsPrivilegedProcess) Assert.Ignore("cgroups need root here");
        await SpareAsync();
        var spec = Spec("./probes", "hog");
        var ran = await RunAsync(spec with { Limits = spec.Limits with { MemoryBytes = 32 << 20 } });
        Assert.That(ran.Report.Outcome, Is.EqualTo(SandboxOutcome.MemoryLimit), ran.ToString());
    }

    [Test]
    public async Task A_spec_too_long_for_a_spare_runs_all_the_same()
    {
        await SpareAsync();
        string word = new('x', 100_000);
        Assert.That((await RunAsync(Spec("/usr/bin/printf", "%s", word))).Stdout, Is.EqualTo(word));
    }

    [Test]
    public async Task An_input_root_that_is_not_there_is_told_and_the_next_action_runs()
    {
        await SpareAsync();
        var ran = await RunAsync(Shell("true") with { InputRootPath = InputRoot + "-missing" });
        Assert.That(ran.Report.Outcome, Is.EqualTo(SandboxOutcome.SetupFailed), ran.ToString());
        Assert.That(ran.Report.Detail, Does.StartWith("input root"));
        Assert.That((await RunAsync(Shell("exit 3"))).Report.ExitCode, Is.EqualTo(3));
    }

    [Test]
    public async Task A_waiting_spare_has_left_the_host_and_holds_none_of_its_files()
    {
        if (!Environment.IsPrivilegedProcess) Assert.Ignore("only root may look");
        int spare = await SpareAsync();
        // Nothing on stdin, two pipes, and the socket on which it waits.
        Assert.That(Directory.GetFiles($"/proc/{spare}/fd").Select(Path.GetFileName).Order(), Is.EqualTo(["0", "1", "2", "3"]));
        string mounts = await File.ReadAllTextAsync($"/proc/{spare}/mountinfo");
        Assert.That(mounts, Does.Not.Contain(" /build "));
        Assert.That(mounts, Does.Not.Contain("cgroup"));
    }

    [Test]
    public async Task A_spare_ends_with_the_worker_s_side()
    {
        int spare = await SpareAsync();
        int launcher = Launcher.ProcessId!.Value;
        await Launcher.DisposeAsync();
        Assert.That(Directory.Exists($"/proc/{spare}"), Is.False);
        Assert.That(Directory.Exists($"/proc/{launcher}"), Is.False);
        Assert.That(GroupsOf(launcher), Is.Empty);
    }

    [Test]
    public async Task A_spare_ends_with_a_launcher_that_is_killed()
    {
        int spare = await SpareAsync();
        using (var launcher = Process.GetProcessById(Launcher.ProcessId!.Value)) launcher.Kill();
        await IsGoneAsync(spare);
    }

    /// <summary>Whoever ends a process tells nobody here: look until it is gone.</summary>
    private static async Task IsGoneAsync(int process)
    {
        while (Directory.Exists($"/proc/{process}")) await Task.Yield();
    }
}
