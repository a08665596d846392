using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker;

/// <summary>A command's end and the two streams it wrote.</summary>
internal sealed class CommandRun(StageClock clock, WorkDirectory directory) : ISandboxOutput, IDisposable
{
    public ActionLog Stdout { get; } = new(directory.PathBeside("stdout"));

    public ActionLog Stderr { get; } = new(directory.PathBeside("stderr"));

    public SandboxReport Report { get; set; } = new() { Outcome = SandboxOutcome.LauncherLost };

    void ISandboxOutput.Started() => clock.ExecutionStarted();

    void ISandboxOutput.Write(OutputStream stream, ReadOnlySpan<byte> data) =>
        (stream == OutputStream.Stdout ? Stdout : Stderr).Write(data);

    public void Dispose()
    {
        Stdout.Dispose();
        Stderr.Dispose();
    }
}
