using Buildbarn.ResourceUsage;
using Google.Protobuf.WellKnownTypes;
using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker;

/// <summary>What a command used in Buildbarn's words, which clients read that were made for it (REAPI T2).</summary>
internal static class PosixUsage
{
    // signal(7), from 1 on, as on every architecture that .NET runs on; what is behind them has no name of its own.
    private static readonly string[] Names =
    [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT",
        "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];

    /// <summary>Null where nobody counted: without a launcher, or where no command ran.</summary>
    public static POSIXResourceUsage? Of(SandboxReport report) => report.Kernel is not { } kernel ? null : new POSIXResourceUsage
    {
        UserTime = Duration.FromTimeSpan(report.UserTime),
        SystemTime = Duration.FromTimeSpan(report.SystemTime),
        MaximumResidentSetSize = kernel.LargestProcessBytes,
        PageReclaims = kernel.MinorFaults,
        PageFaults = kernel.MajorFaults,
        Swaps = kernel.Swaps,
        BlockInputOperations = kernel.BlocksIn,
        BlockOutputOperations = kernel.BlocksOut,
        MessagesSent = kernel.MessagesSent,
        MessagesReceived = kernel.MessagesReceived,
        SignalsReceived = kernel.Signals,
        VoluntaryContextSwitches = kernel.VoluntarySwitches,
        InvoluntaryContextSwitches = kernel.InvoluntarySwitches,
        TerminationSignal = NameOf(report.Signal),
    };

    private static string NameOf(int signal) =>
        signal <= 0 ? "" : signal <= Names.Length ? Names[signal - 1] : FormattableString.Invariant($"{signal}");
}
