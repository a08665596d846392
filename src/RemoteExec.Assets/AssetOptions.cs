using System.Net;
using System.Security.Cryptography.X509Certificates;

namespace RemoteExec.Assets;

/// <summary>What is fetched for clients, from where, and within which bounds.</summary>
public sealed record AssetOptions
{
    /// <summary>For the log of what is known, and for what is being downloaded. On the store's file system a download is not copied.</summary>
    public required string Directory { get; init; }

    /// <summary>How long the store keeps what it was asked for.</summary>
    public required TimeSpan Retention { get; init; }

    /// <summary>Addresses and hosts that are fetched from although they are not public (REAPI S4).</summary>
    public IReadOnlyList<FetchAllowance> Allowed { get; init; } = [];

    /// <summary>Authorities that https origins are trusted by beside those of the machine.</summary>
    public X509Certificate2Collection Authorities { get; init; } = [];

    public IAssetObserver Observer { get; init => field = new GuardedAssetObserver(value); } = GuardedAssetObserver.Nobody;

    /// <summary>One download. A toolchain takes one or two gigabytes.</summary>
    public long DownloadBytesMax { get; init; } = 8L << 30;

    /// <summary>All that are under way together: they lie outside of the store's limit.</summary>
    public long DownloadsBytesMax { get; init; } = 32L << 30;

    /// <summary>Everything that one archive unpacks to.</summary>
    public long UnpackedBytesMax { get; init; } = 32L << 30;

    /// <summary>Files, directories and links in one archive. A checkout of a large operating system has a hundred thousand.</summary>
    public int UnpackedEntriesMax { get; init; } = 500_000;

    /// <summary>Names and targets of links in one archive, characters. They lie in memory until the last is known, and compress to nothing.</summary>
    public int UnpackedTextMax { get; init; } = 16 << 20;

    /// <summary>For who names none.</summary>
    public TimeSpan TimeoutDefault { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Longer ones are cut to it.</summary>
    public TimeSpan TimeoutMax { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Downloads at a time; others wait.</summary>
    public int FetchesMax { get; init; } = 16;

    /// <summary>Those that wait included; beyond it a fetch is refused.</summary>
    public int FetchesWaitingMax { get; init; } = 1024;

    /// <summary>What is known of URIs, the longest unused goes first.</summary>
    public int KnownMax { get; init; } = 100_000;

    public long KnownBytesMax { get; init; } = 64L << 20;

    /// <summary>Replaced by tests that have no name server.</summary>
    internal Func<string, CancellationToken, Task<IPAddress[]>> Resolve { get; init; } = Dns.GetHostAddressesAsync;
}
