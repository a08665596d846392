using RemoteExec.Files;

namespace RemoteExec.Scheduling.Local;

public sealed record FileOperationJournalOptions
{
    /// <summary>Made when absent; nothing else may live in it.</summary>
    public required string Directory { get; init; }

    /// <summary>
    /// Compaction starts when this much has been appended since the last one, and at least as much as that one wrote:
    /// so the file stays within about twice the live state plus this, and each byte is rewritten once on average.
    /// </summary>
    public long CompactAfterBytes { get; init; } = 32 << 20;

    /// <summary>Times the flushes.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    public IJournalObserver? Observer { get; init; }

    /// <summary>Told in a sentence what went wrong and stops nothing. Returns at once.</summary>
    public Action<string>? Warned { get; init; }

    /// <summary>How often a full disk is asked whether it has room again: soon enough for those who wait, seldom enough to cost nothing.</summary>
    public TimeSpan RoomRetryInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Replaced by tests that let it fail.</summary>
    internal IDisk Disk { get; init; } = new Disk();
}
