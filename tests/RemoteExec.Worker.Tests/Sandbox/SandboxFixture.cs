using System.Diagnostics;
using System.Text;
using NUnit.Framework;
using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker.Tests.Sandbox;

/// <summary>A launcher and a fresh input root for each test, with the program that tries to break out in it.</summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public abstract class SandboxFixture
{
    private static readonly Lazy<string> Probes = new(CompileProbes);

    protected SandboxLauncher Launcher { get; private set; } = null!;

    protected string InputRoot { get; private set; } = "";

    protected static SandboxLauncherOptions Options { get; } = new();

    /// <summary>A launcher that answers every spec with something that is no answer.</summary>
    protected static SandboxLauncherOptions NonsenseOptions => new() { LauncherPath = Probes.Value };

    [SetUp]
    public void MakeInputRoot()
    {
        Launcher = new SandboxLauncher(Options);
        InputRoot = Directory.CreateTempSubdirectory("sandbox-test-").FullName;
        // What the worker does with lchown: the action's user may create files here.
        File.SetUnixFileMode(InputRoot, (UnixFileMode)0b111_111_111);
        File.Copy(Probes.Value, Path.Combine(InputRoot, "probes"));
    }

    [TearDown]
    public async Task EndLauncher()
    {
        await Launcher.DisposeAsync();
        Directory.Delete(InputRoot, recursive: true);
    }

    protected SandboxSpec Spec(params string[] arguments) => new()
    {
        Arguments = arguments,
        Environment = [new("PATH", "/usr/bin:/bin")],
        InputRootPath = InputRoot,
        Limits = new SandboxLimits { Timeout = TimeSpan.FromMinutes(1) },
        Walls = Environment.IsPrivilegedProcess ? SandboxWalls.All : SandboxWalls.All & ~SandboxWalls.Limits,
    };

    protected SandboxSpec Shell(string script) => Spec("/bin/sh", "-c", script);

    protected Task<Ran> RunAsync(SandboxSpec spec) => RunAsync(spec, CancellationToken.None);

    protected async Task<Ran> RunAsync(SandboxSpec spec, CancellationToken cancellationToken)
    {
        var output = new Output();
        var report = await Launcher.RunAsync(spec, output, cancellationToken);
        return new Ran(report, output.Text(OutputStream.Stdout), output.Text(OutputStream.Stderr), output.HasStarted);
    }

    /// <summary>What the attempt printed: "ok", or the errno that refused it.</summary>
    protected async Task<string> TryAsync(string attempt)
    {
        var ran = await RunAsync(Spec("./probes", "try", attempt));
        Assert.That(ran.Report.Outcome, Is.EqualTo(SandboxOutcome.Exited), ran.ToString());
        return ran.Stdout.TrimEnd('\n').Replace('\n', ' ');
    }

    /// <summary>Starts an action that waits for ever, and returns once it does.</summary>
    protected async Task<Task<SandboxReport>> StartWaitingAsync(CancellationToken cancellationToken)
    {
        var output = new Output();
        var run = Launcher.RunAsync(Spec("./probes", "wait"), output, cancellationToken).AsTask();
        await output.FirstBytes;
        return run;
    }

    /// <summary>The sandbox that waits for its spec by now: it cannot gain privileges any more, and has no filter yet.</summary>
    protected async Task<int> SpareAsync()
    {
        while (true)
        {
            foreach (int child in ChildrenOf(Launcher.ProcessId!.Value))
                if (TryRead($"/proc/{child}/status") is { } status && status.Contains("NoNewPrivs:\t1\nSeccomp:\t0\n")) return child;
            await Task.Yield();
        }
    }

    protected static int[] ChildrenOf(int process) => TryRead($"/proc/{process}/task/{process}/children") is { } line
        ? [.. line.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)]
        : [];

    protected static string[] GroupsOf(int launcher) => Directory.Exists("/sys/fs/cgroup")
        ? Directory.GetDirectories("/sys/fs/cgroup", $"rexec-{launcher}", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 4 })
        : [];

    private static string? TryRead(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            return null; // ended while we looked
        }
    }

    private static string CompileProbes()
    {
        string program = Path.Combine(TestContext.CurrentContext.WorkDirectory, "sandbox-probes");
        string source = Path.Combine(TestContext.CurrentContext.TestDirectory, "Sandbox", "probes.c");
        using var compiler = Process.Start("gcc", ["-O1", "-static", "-o", program, source]);
        compiler.WaitForExit();
        return compiler.ExitCode == 0 ? program : throw new InvalidOperationException("probes.c does not compile");
    }

    protected sealed record Ran(SandboxReport Report, string Stdout, string Stderr, bool HasStarted);

    protected sealed class Output : ISandboxOutput
    {
        private readonly StringBuilder[] _texts = [new(), new()];
        private readonly TaskCompletionSource _firstBytes = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool HasStarted { get; private set; }

        public Task FirstBytes => _firstBytes.Task;

        public void Started() => HasStarted = true;

        public void Write(OutputStream stream, ReadOnlySpan<byte> data)
        {
            _texts[(int)stream - 1].Append(Encoding.UTF8.GetString(data));
            _firstBytes.TrySetResult();
        }

        public string Text(OutputStream stream) => _texts[(int)stream - 1].ToString();
    }
}
