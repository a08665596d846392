using Grpc.Core;
using RemoteExec.Protocol.V1;
using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker;

/// <summary>
/// What a sandbox's report means in the protocol's words (REAPI 1.14): the status of ExecuteResponse and the
/// sentence for people; and whose fault it is.
/// </summary>
internal readonly record struct RunVerdict(StatusCode Code, Blame Blame, string Message)
{
    /// <summary>The command ran to its end, whatever it answered; its outputs are collected.</summary>
    public bool HasResult => Code == StatusCode.OK;

    /// <summary>The command ran, so what it wrote until then is worth showing (REAPI T4).</summary>
    public bool HasLogs => Code is StatusCode.OK or StatusCode.DeadlineExceeded or StatusCode.ResourceExhausted;

    /// <param name="timeoutIsActions">The timeout is the action's own, and not what the server gives to those that have none.</param>
    public static RunVerdict Of(SandboxReport report, SandboxSpec spec, bool timeoutIsActions) => report.Outcome switch
    {
        // Whatever it answered: a command that fails has said why, and several clients would print ours above that.
        SandboxOutcome.Exited => new(StatusCode.OK, Blame.Unspecified, ""),
        SandboxOutcome.Signaled => new(StatusCode.OK, Blame.Unspecified, $"killed by signal {report.Signal}{Because(report)}"),
        SandboxOutcome.TimedOut => new(
            StatusCode.DeadlineExceeded, Blame.Action, $"the command was still running after {Timeout(spec, timeoutIsActions)} and was killed"),
        // Neither a test failure nor a reason to try the same again here (BuildBuddy #8396 is a fake test failure).
        SandboxOutcome.MemoryLimit => new(
            StatusCode.ResourceExhausted, Blame.Action, $"{OutOfMemory(spec)}{Because(report)}"),
        // REAPI X2; not retried, another worker of the same platform has no more programs than this one.
        SandboxOutcome.ProgramNotFound => new(StatusCode.FailedPrecondition, Blame.Client, MissingProgram(report, spec)),
        SandboxOutcome.ProgramNotRunnable => new(
            StatusCode.FailedPrecondition, Blame.Client, $"the program {Printable.Quote(spec.Arguments[0])} cannot be executed{Because(report)}"),
        SandboxOutcome.WorkingDirectoryInvalid => new(
            StatusCode.InvalidArgument, Blame.Client, $"the working directory {Printable.Quote(spec.WorkingDirectory)} cannot be entered{Because(report)}"),
        SandboxOutcome.SpecInvalid => new(StatusCode.InvalidArgument, Blame.Client, $"the command cannot be run as written{Because(report)}"),
        SandboxOutcome.SetupFailed => new(StatusCode.Internal, Blame.Worker, $"the sandbox could not be built{Because(report)}"),
        SandboxOutcome.OutputLost => new(StatusCode.Unavailable, Blame.Worker, $"the worker could not keep what the command wrote{Because(report)}"),
        SandboxOutcome.Killed => new(StatusCode.Unavailable, Blame.Worker, $"the command was killed{Because(report)}"),
        _ => new(StatusCode.Unavailable, Blame.Worker, $"the sandbox launcher was lost{Because(report)}"),
    };

    public RpcStatus ToStatus() => new() { Code = (int)Code, Message = HasResult ? "" : Message };

    private static string Timeout(SandboxSpec spec, bool isActions) => isActions
        ? FormattableString.Invariant($"the timeout of {spec.Limits.Timeout.TotalSeconds:0.###} s that its action sets")
        : FormattableString.Invariant($"{spec.Limits.Timeout.TotalSeconds:0.###} s, this server's limit (--action-timeout) for actions that set none,");

    // Without a limit of its own it was the machine's memory that ended, or that of the cgroup in which the worker lives.
    private static string OutOfMemory(SandboxSpec spec) => spec.Limits.MemoryBytes > 0
        ? $"the command needed more memory than the {spec.Limits.MemoryBytes >> 20} MiB allowed and was killed; --action-memory of the worker allows more"
        : "the worker ran out of memory and the command was killed; fewer --slots leave more for each, and --action-memory bounds each";

    private static string MissingProgram(SandboxReport report, SandboxSpec spec)
    {
        string program = Printable.Quote(spec.Arguments[0]);
        string where = spec.Arguments[0].Contains('/', StringComparison.Ordinal)
            ? ""
            : $" on PATH={spec.Environment.FirstOrDefault(variable => variable.Key == "PATH").Value}";
        return $"missing command: the program {program} does not exist{where}{Because(report)}";
    }

    private static string Because(SandboxReport report) => report.Detail.Length == 0 ? "" : $" ({report.Detail})";
}
