namespace RemoteExec.Worker.Sandbox;

/// <summary>
/// Receives what an action writes, in order, from the launcher's reader. That reader serves all running actions:
/// take the bytes and return. The total is bounded by <see cref="SandboxLimits"/>. What is thrown here ends the action as
/// <see cref="SandboxOutcome.OutputLost"/>, and touches no other.
/// </summary>
public interface ISandboxOutput
{
    /// <summary>The program has been executed: setup is over, and the wall time of the report starts here.</summary>
    void Started();

    void Write(OutputStream stream, ReadOnlySpan<byte> data);
}
