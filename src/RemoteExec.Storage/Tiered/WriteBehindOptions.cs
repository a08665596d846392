using System.Diagnostics.CodeAnalysis;

namespace RemoteExec.Storage;

/// <summary>How blobs are brought to a store behind this one.</summary>
public sealed record WriteBehindOptions
{
    public const int WaitingMaxDefault = 200_000;

    /// <summary>Of its own, made if absent: what is still to be brought is remembered here.</summary>
    public required string Directory { get; init; }

    /// <summary>What may wait, some hours of a store that is away. A blob takes 200 bytes of memory meanwhile, and what finds no room stays here only.</summary>
    public int WaitingMax { get; init; } = WaitingMaxDefault;

    /// <summary>Each large one holds a part in memory.</summary>
    public int AtOnce { get; init; } = 8;

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Replaced by tests that let it fail.</summary>
    [AllowNull]
    internal IDisk Disk { get; init => field = value ?? new Disk(); } = new Disk();
}
