namespace RemoteExec.Storage.S3;

/// <summary>Which bucket, and how it is spoken to. Credentials come from where the SDK looks for them: environment, profile, web identity, the machine's role.</summary>
public sealed record S3BlobStoreOptions
{
    public required string Bucket { get; init; }

    /// <summary>Of a service that is not Amazon's; null for that of <see cref="Region"/>.</summary>
    public Uri? Endpoint { get; init; }

    public string Region { get; init; } = "us-east-1";

    /// <summary>In front of every key, such as <c>farm-1/</c>: several farms may share a bucket.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>The bucket's name in the path and not in the host's name, as most services want it that are not Amazon's.</summary>
    public bool UsesPathStyle { get; init; }

    /// <summary>
    /// After so long the bucket's rules delete an object; null: they do not. One that has less than <see cref="Retention"/> left counts as missing, so that it is
    /// uploaded and written again, and nobody is told of it who would then not find it.
    /// </summary>
    public TimeSpan? ObjectLifetime { get; init; }

    /// <summary>How long a client may rely on what it was told of (D4).</summary>
    public TimeSpan Retention { get; init; } = TimeSpan.FromHours(4);

    /// <summary>Of a multipart upload. Larger blobs than this are sent in parts; each upload holds one in memory. S3 takes 5 MiB at least, but for the last.</summary>
    public int PartBytes { get; init; } = 8 << 20;

    /// <summary>How long an object that was seen counts as there.</summary>
    public TimeSpan PresenceTime { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long one that was not seen counts as absent: another farm may bring it.</summary>
    public TimeSpan AbsenceTime { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How many objects are remembered so; 200 bytes each.</summary>
    public int RememberedMax { get; init; } = 200_000;

    /// <summary>Questions about single objects that are under way at once: there is no call that asks about many.</summary>
    public int QuestionsAtOnce { get; init; } = 64;

    /// <summary>How long one request may take; a part of <see cref="PartBytes"/> goes through a slow line in that.</summary>
    public TimeSpan RequestMax { get; init; } = TimeSpan.FromSeconds(30);

    public TimeProvider Time { get; init; } = TimeProvider.System;
}
