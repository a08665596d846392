using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker.Tests;

/// <summary>A sandbox whose action is a method of the test, run in the real input root.</summary>
internal sealed class ScriptedSandbox(Func<SandboxSpec, ISandboxOutput, CancellationToken, ValueTask<SandboxReport>> script) : ISandbox
{
    public SandboxSpec? LastSpec { get; private set; }

    public SandboxIdentity? FileOwner => null;

    public static ScriptedSandbox Exits(int code, Action<string>? writes = null) => new((spec, output, _) =>
    {
        output.Started();
        writes?.Invoke(spec.InputRootPath);
        return ValueTask.FromResult(new SandboxReport { Outcome = SandboxOutcome.Exited, ExitCode = code, WallTime = TimeSpan.FromSeconds(2) });
    });

    public static ScriptedSandbox Ends(SandboxReport report, string stdout = "") => new((_, output, _) =>
    {
        output.Started();
        output.Write(OutputStream.Stdout, System.Text.Encoding.UTF8.GetBytes(stdout));
        return ValueTask.FromResult(report);
    });

    public ValueTask<SandboxReport> RunAsync(SandboxSpec spec, ISandboxOutput output, CancellationToken cancellationToken)
    {
        LastSpec = spec;
        return script(spec, output, cancellationToken);
    }
}
