using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker;

/// <summary>A command: what it is told, how it ended, and the two streams it wrote.</summary>
internal sealed class CommandRun(SandboxSpec spec, StageClock clock, WorkDirectory directory, long logBytesMax) : ISandboxOutput, IDisposable
{
    public SandboxSpec Spec { get; } = spec;

    public ActionLog Stdout { get; } = new(directory.PathBeside("stdout"), logBytesMax);

    public ActionLog Stderr { get; } = new(directory.PathBeside("stderr"), logBytesMax);

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
