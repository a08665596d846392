using NUnit.Framework;
using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker.Tests.Sandbox;

/// <summary>Each wall is proven by an action that tries to cross it (TRUST 4.5).</summary>
[TestFixture(false, TestName = "SandboxWallTests")]
[TestFixture(true, TestName = "SandboxWallTests, in a spare")]
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class SandboxWallTests(bool inSpare) : SandboxFixture
{
    [SetUp]
    public async Task AwaitSpare()
    {
        if (!inSpare) return;
        await RunAsync(Spec("/bin/true"));
        await SpareAsync();
    }

    [TestCase("mount", "EPERM")]
    [TestCase("remount", "EPERM")]
    [TestCase("umount", "EPERM")]
    [TestCase("fsopen", "EPERM")]
    [TestCase("pivot_root", "EPERM")]
    [TestCase("chroot", "EPERM")]
    [TestCase("mknod", "EPERM")]
    [TestCase("ptrace", "EPERM")]
    [TestCase("traceme", "EPERM")]
    [TestCase("init_memory", "EACCES")]
    [TestCase("init_root", "EACCES")]
    [TestCase("unshare", "EPERM")]
    [TestCase("clone", "EPERM")]
    [TestCase("clone3", "ENOSYS")]
    [TestCase("setns", "EPERM")]
    [TestCase("bpf", "EPERM")]
    [TestCase("perf", "EPERM")]
    [TestCase("io_uring", "ENOSYS")]
    [TestCase("userfaultfd", "EPERM")]
    [TestCase("keyctl", "EPERM")]
    [TestCase("add_key", "EPERM")]
    [TestCase("tiocsti", "EPERM")]
    [TestCase("tiocsti_high", "EPERM")]
    [TestCase("alg", "EAFNOSUPPORT")]
    [TestCase("vsock", "EAFNOSUPPORT")]
    [TestCase("packet", "EAFNOSUPPORT")]
    [TestCase("netfilter", "EAFNOSUPPORT")]
    [TestCase("raw", "EPERM")]
    [TestCase("unknown_call", "ENOSYS")]
    [TestCase("persona", "EPERM")]
    [TestCase("set_time", "EPERM")]
    [TestCase("setuid", "EINVAL")] // no root is mapped to become
    [TestCase("sethostname", "EPERM")]
    [TestCase("nice_up", "EACCES")]
    [TestCase("realtime", "EPERM")]
    [TestCase("realtime_io", "EPERM")]
    [TestCase("more_processes", "EPERM")]
    [TestCase("more_files", "EPERM")]
    [TestCase("kill_init", "ok alive")] // process 1 takes no signal from its own namespace
    [TestCase("unix", "ok")]
    [TestCase("inet", "ok")]
    [TestCase("route", "ok")]
    public async Task An_attempt_is_answered_with_its_errno(string attempt, string answer)
        => Assert.That(await TryAsync(attempt), Is.EqualTo(answer));

    [Test]
    [Platform("64-Bit-Process")]
    public async Task Another_architecture_s_entry_to_the_kernel_is_death()
    {
        if (System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture != System.Runtime.InteropServices.Architecture.X64)
            Assert.Ignore("only x86-64 has such entries");
        Assert.That(await TryAsync("x32"), Is.EqualTo("ENOSYS"));
        var ran = await RunAsync(Spec("./probes", "try", "int80"));
        Assert.That(ran.Report.Signal, Is.EqualTo(31), ran.ToString()); // SIGSYS
    }

    [Test]
    public async Task The_status_shows_no_capability_no_new_privileges_and_a_filter()
    {
        var ran = await RunAsync(Shell("grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status"));
        Assert.That(ran.Stdout.Replace("\t", ""), Is.EqualTo(string.Concat(
            "CapInh:0000000000000000\n", "CapPrm:0000000000000000\n", "CapEff:0000000000000000\n",
            "CapBnd:0000000000000000\n", "CapAmb:0000000000000000\n", "NoNewPrivs:1\n", "Seccomp:2\n")));
    }

    [Test]
    public async Task It_sees_only_what_it_was_given()
    {
        var ran = await RunAsync(Shell("ls -A /; ls -A /dev; ls -A /sys /run; ls /build"));
        Assert.That(ran.Stdout.Split('\n', StringSplitOptions.RemoveEmptyEntries), Is.SubsetOf(new[]
        {
            "bin", "build", "dev", "etc", "lib", "lib32", "lib64", "libx32", "opt", "proc", "run", "sbin", "sys", "tmp", "usr", "var",
            "fd", "full", "null", "random", "shm", "stderr", "stdin", "stdout", "urandom", "zero",
            "/sys:", "/run:", "probes",
        }), ran.ToString());
    }

    [Test]
    public async Task A_host_file_outside_is_not_there()
    {
        string secret = Path.GetTempFileName();
        try
        {
            var ran = await RunAsync(Shell($"cat {secret} 2>/dev/null || echo absent; ls -A /tmp"));
            Assert.That(ran.Stdout, Is.EqualTo("absent\n"));
        }
        finally
        {
            File.Delete(secret);
        }
    }

    [TestCase("/usr/x")]
    [TestCase("/etc/x")]
    [TestCase("/x")]
    [TestCase("/dev/x")]
    [TestCase("/sys/x")]
    [TestCase("/proc/sys/kernel/hostname")]
    [TestCase("/proc/sysrq-trigger")]
    public async Task It_writes_nothing_of_the_system(string path)
    {
        var ran = await RunAsync(Shell($"echo 1 > {path} && echo written || echo refused; test -s {path} && echo there"));
        // A masked file takes writes and gives nothing back, as /dev/null does.
        Assert.That(ran.Stdout, path == "/proc/sysrq-trigger" ? Is.Not.Contains("there") : Does.StartWith("refused"), ran.ToString());
    }

    [TestCase("kcore")]
    [TestCase("keys")]
    [TestCase("timer_list")]
    [TestCase("kallsyms")]
    public async Task Dangerous_entries_of_proc_are_empty(string name)
    {
        var ran = await RunAsync(Shell($"test -e /proc/{name} || exit 0; wc -c < /proc/{name}"));
        Assert.That(ran.Stdout, Is.EqualTo("0\n").Or.Empty, ran.ToString());
    }

    [TestCase("echo changed > input")]
    [TestCase("echo changed >> input")]
    [TestCase("chmod u+w input")]
    [TestCase("chmod 777 input; echo changed > input")]
    [TestCase("truncate -s 0 input")]
    [TestCase("touch -d 2001-01-01 input")]
    [TestCase("chown 1000 input")]
    [TestCase("dd if=/dev/zero of=input conv=notrunc count=1")]
    [TestCase("ln input other; chmod 777 other; echo changed > other")]
    [TestCase("exec 3<input; chmod 777 /proc/self/fd/3; echo changed > /proc/self/fd/3")]
    public async Task A_linked_input_cannot_be_altered(string attack)
    {
        RequireRoot();
        using var store = new TemporaryDirectory();
        string stored = Path.Combine(store.Path, "stored");
        await File.WriteAllTextAsync(stored, "original");
        File.SetUnixFileMode(stored, (UnixFileMode)0b101_101_101);
        HardLink(stored, Path.Combine(InputRoot, "input"));
        var before = File.GetLastWriteTimeUtc(stored);

        await RunAsync(Shell(attack));

        Assert.Multiple(() =>
        {
            Assert.That(File.ReadAllText(stored), Is.EqualTo("original"));
            Assert.That(File.GetUnixFileMode(stored), Is.EqualTo((UnixFileMode)0b101_101_101));
            Assert.That(File.GetLastWriteTimeUtc(stored), Is.EqualTo(before));
        });
    }

    [Test]
    public async Task It_sees_only_its_own_processes()
    {
        var ran = await RunAsync(Shell("for p in /proc/[0-9]*; do echo ${p#/proc/}; done"));
        Assert.That(ran.Stdout, Is.EqualTo("1\n2\n"));
    }

    [Test]
    public async Task Its_network_is_loopback_and_nothing_else()
    {
        var ran = await RunAsync(Shell("cut -d: -f1 -s /proc/net/dev; wc -l < /proc/net/route; cat /proc/sys/net/ipv4/conf/lo/forwarding"));
        var lines = ran.Stdout.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines[0], Is.EqualTo("lo"));
        Assert.That(lines.Skip(1).First(line => char.IsDigit(line[0])), Is.EqualTo("1"), ran.ToString()); // the heading only
    }

    [Test]
    public async Task It_has_three_descriptors_and_nothing_to_read()
    {
        var ran = await RunAsync(Shell("ls /proc/$$/fd; cat"));
        Assert.That(ran.Stdout, Is.EqualTo("0\n1\n2\n"), ran.ToString());
    }

    [Test]
    public async Task Its_environment_is_the_spec_s()
    {
        var ran = await RunAsync(Spec("/usr/bin/env") with { Environment = [new("ONLY", "this one")] });
        Assert.That(ran.Stdout, Is.EqualTo("ONLY=this one\n"));
    }

    [Test]
    public async Task It_is_an_ordinary_user_in_a_session_of_its_own()
    {
        var ran = await RunAsync(Shell("id -u; id -g; cut -d' ' -f5,6,7 /proc/$$/stat; ulimit -c; hostname; pwd"));
        // process group, session, no terminal; no core files
        Assert.That(ran.Stdout, Is.EqualTo("1000\n1000\n2 2 0\n0\nsandbox\n/build\n"), ran.ToString());
    }

    [Test]
    public async Task Two_actions_do_not_meet_in_scratch_or_on_the_network()
    {
        var first = await RunAsync(Shell("echo left > /tmp/x; echo left > /dev/shm/x; echo kept > x"));
        var second = await RunAsync(Shell("ls /tmp /dev/shm; cat x"));
        Assert.That(first.Report.ExitCode, Is.Zero, first.ToString());
        Assert.That(second.Stdout, Does.EndWith("kept\n").And.Not.Contains("\nx\n"), second.ToString());
    }

    [Test]
    public async Task Scratch_has_the_size_it_was_given()
    {
        var spec = Shell("head -c 2000000 /dev/zero > /tmp/x 2>/dev/null || echo full; wc -c < /tmp/x");
        var ran = await RunAsync(spec with { Limits = spec.Limits with { ScratchBytes = 1 << 20 } });
        Assert.That(ran.Stdout, Is.EqualTo("full\n1048576\n"), ran.ToString());
    }

    [Test]
    public async Task Scratch_takes_no_more_files_than_its_size_has_pages()
    {
        var spec = Shell("for p in /tmp /dev/shm; do i=0; while : > $p/$i; do i=$((i+1)); done 2>/dev/null; ls $p | wc -l; done");
        var ran = await RunAsync(spec with { Limits = spec.Limits with { ScratchBytes = 1 << 20 } });
        Assert.That(ran.Stdout.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse), Is.All.InRange(256, 320), ran.ToString());
    }

    [Test]
    public async Task When_memory_runs_out_it_dies_before_its_worker()
    {
        var ran = await RunAsync(Shell("cat /proc/self/oom_score_adj; (cat /proc/self/oom_score_adj)"));
        Assert.That(ran.Stdout, Is.EqualTo("1000\n1000\n"), ran.ToString());
    }

    [Test]
    public async Task It_cannot_raise_its_chances_when_memory_runs_out()
    {
        const int CAP_SYS_RESOURCE = 24; // who has it sets a floor, too (proc_pid_oom_score_adj(5))
        string effective = (await File.ReadAllLinesAsync("/proc/self/status")).Single(line => line.StartsWith("CapEff:", StringComparison.Ordinal));
        if ((Convert.ToUInt64(effective[7..].Trim(), 16) >> CAP_SYS_RESOURCE & 1) == 0) Assert.Ignore("without CAP_SYS_RESOURCE no floor can be set");
        Assert.That(await TryAsync("survive_memory"), Is.EqualTo("EACCES"));
    }

    private static void RequireRoot()
    {
        if (!Environment.IsPrivilegedProcess) Assert.Ignore("inputs belong to somebody else only where the worker is root");
    }

    private static void HardLink(string target, string path)
    {
        using var link = System.Diagnostics.Process.Start("ln", [target, path]);
        link.WaitForExit();
        Assert.That(link.ExitCode, Is.Zero);
    }

    private sealed class TemporaryDirectory : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("sandbox-store-").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
