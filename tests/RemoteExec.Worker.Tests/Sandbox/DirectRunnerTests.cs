using NUnit.Framework;
using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker.Tests.Sandbox;

[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class DirectRunnerTests
{
    private readonly DirectRunner _runner = new(TimeProvider.System);
    private string _inputRoot = "";

    [SetUp]
    public void MakeInputRoot() => _inputRoot = Directory.CreateTempSubdirectory("direct-").FullName;

    [TearDown]
    public void RemoveInputRoot() => Directory.Delete(_inputRoot, recursive: true);

    private SandboxSpec Spec(params string[] arguments) => new()
    {
        Arguments = arguments,
        Environment = [new("PATH", "/usr/bin:/bin")],
        InputRootPath = _inputRoot,
    };

    private async Task<(SandboxReport Report, string Text)> RunAsync(SandboxSpec spec, CancellationToken cancellationToken = default)
    {
        var output = new Collected();
        var report = await _runner.RunAsync(spec, output, cancellationToken);
        return (report, output.Text.ToString());
    }

    [Test]
    public async Task It_runs_with_the_spec_s_environment_and_tells_the_exit_code()
    {
        var (report, text) = await RunAsync(Spec("sh", "-c", "echo $PATH; pwd; exit 5"));
        Assert.That((report.Outcome, report.ExitCode), Is.EqualTo((SandboxOutcome.Exited, 5)));
        Assert.That(text, Is.EqualTo($"/usr/bin:/bin\n{_inputRoot}\n"));
    }

    [TestCase("nosuch")]
    [TestCase("./nosuch")]
    public async Task A_missing_program_has_its_own_outcome(string program)
        => Assert.That((await RunAsync(Spec(program))).Report.Outcome, Is.EqualTo(SandboxOutcome.ProgramNotFound));

    [Test]
    public async Task An_output_that_throws_ends_its_action()
    {
        var report = await _runner.RunAsync(Spec("sh", "-c", "echo lost; exec sleep 1000"), new Broken(), default);

        Assert.That((report.Outcome, report.Detail), Is.EqualTo((SandboxOutcome.OutputLost, "nobody thought of this")));
    }

    [Test]
    public async Task A_missing_working_directory_has_its_own_outcome()
        => Assert.That(
            (await RunAsync(Spec("true") with { WorkingDirectory = "nosuch" })).Report.Outcome,
            Is.EqualTo(SandboxOutcome.WorkingDirectoryInvalid));

    [Test]
    public async Task A_timeout_ends_it()
    {
        var spec = Spec("sleep", "1000") with { Limits = new SandboxLimits { Timeout = TimeSpan.FromMilliseconds(100) } };
        Assert.That((await RunAsync(spec)).Report.Outcome, Is.EqualTo(SandboxOutcome.TimedOut));
    }

    [Test]
    public async Task Cancelling_ends_it()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        Assert.That((await RunAsync(Spec("sleep", "1000"), cancelled.Token)).Report.Outcome, Is.EqualTo(SandboxOutcome.Killed));
    }

    [Test]
    public async Task Output_past_its_bound_is_counted()
    {
        var spec = Spec("head", "-c", "100000", "/dev/zero") with { Limits = new SandboxLimits { StdoutBytesMax = 10 } };
        var (report, text) = await RunAsync(spec);
        Assert.That(text, Has.Length.EqualTo(10));
        Assert.That(report.StdoutDroppedBytes, Is.EqualTo(99_990));
    }

    private sealed class Collected : ISandboxOutput
    {
        public System.Text.StringBuilder Text { get; } = new();

        public void Started()
        {
        }

        public void Write(OutputStream stream, ReadOnlySpan<byte> data) => Text.Append(System.Text.Encoding.UTF8.GetString(data));
    }

    private sealed class Broken : ISandboxOutput
    {
        public void Started()
        {
        }

        public void Write(OutputStream stream, ReadOnlySpan<byte> data) => throw new NotSupportedException("nobody thought of this");
    }
}
