using RemoteExec.Files;

namespace RemoteExec.Scheduling.Local;

/// <summary>One thing for the flusher, at its place among all others.</summary>
internal abstract class JournalWork;

/// <summary>What becomes durable by one flush.</summary>
internal sealed class JournalGroup(FrameBuffer frame) : JournalWork
{
    public FrameBuffer Frame => frame;

    /// <summary>Completes on the flusher, and what waits for it goes on there.</summary>
    public TaskCompletionSource Done { get; } = new();
}

/// <summary>A compaction's beginning; and when it has written what it can beside the groups, its end.</summary>
internal sealed class CompactionStep(JournalCompaction compaction, Exception? failure) : JournalWork
{
    public JournalCompaction Compaction => compaction;

    public Exception? Failure => failure;
}
