using Build.Bazel.Remote.Execution.V2;
using Buildbarn.ResourceUsage;
using Google.Protobuf.WellKnownTypes;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>One attempt on its way through the stages: its lease, its place on disk, its clock, and the report that comes of it.</summary>
internal sealed class Attempt(Lease lease, string worker, TimeProvider time)
{
    public Lease Lease { get; } = lease;

    public StageClock Clock { get; } = new(worker, lease.QueuedTimestamp, time);

    public ReportRequest Report { get; } = new() { WorkerId = worker, Lease = lease.Lease_, Usage = new Usage() };

    /// <summary>Set by the first stage.</summary>
    public WorkDirectory? Directory { get; set; }

    /// <summary>Set when the command has ended, where its kernel counts.</summary>
    public POSIXResourceUsage? KernelUsage { get; set; }

    public Stage Stage { get; private set; }

    public void Enter(Stage stage)
    {
        Stage = stage;
        Clock.Enter(stage);
    }

    /// <summary>The times of all stages, for the result (REAPI T1); what it cost goes with them (T2): measured once, here, and read by everybody downstream.</summary>
    public ExecutedActionMetadata Complete()
    {
        var metadata = Clock.Complete();
        metadata.AuxiliaryMetadata.Add(Any.Pack(Report.Usage.ToStruct()));
        if (KernelUsage is { } kernel) metadata.AuxiliaryMetadata.Add(Any.Pack(kernel));
        return metadata;
    }

    /// <summary>It ends here, with this instead of a result.</summary>
    public void Fail(Failure failure)
    {
        Report.Status = failure.Status;
        Report.Blame = failure.Blame;
        Report.Message = failure.Status.Message;
        Report.ClearResult();
    }
}
