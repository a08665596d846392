namespace RemoteExec.Scheduling;

/// <summary>
/// One attempt at an execution. The attempt starts at 1 and grows with each lease: it is the fencing token, so a
/// report that carries an older one changes nothing (DESIGN D6).
/// </summary>
public readonly record struct LeaseId(ExecutionId Execution, int Attempt)
{
    public override string ToString() => $"{Execution}#{Attempt}";
}
