namespace RemoteExec.Server;

/// <summary>What lies where under <c>--data-dir</c>. One file system for blobs and work, so that inputs are hard links.</summary>
internal sealed record ServerPaths(string DataDirectory)
{
    /// <summary>Of which at least one is in every directory of ours.</summary>
    public static IReadOnlyCollection<string> Names { get; } = ["cas", "ac", "journal", "work"];

    public string Blobs => Path.Combine(DataDirectory, "cas");

    public string ActionCache => Path.Combine(DataDirectory, "ac");

    /// <summary>Which chunks large blobs consist of.</summary>
    public string Chunks => Path.Combine(DataDirectory, "chunks");

    /// <summary>Which action made what.</summary>
    public string Producers => Path.Combine(DataDirectory, "producers");

    /// <summary>What is still to be brought to a bucket.</summary>
    public string WriteBehind => Path.Combine(DataDirectory, "behind");

    public string Journal => Path.Combine(DataDirectory, "journal");

    /// <summary>On the blobs' file system: a download becomes a blob without being copied.</summary>
    public string Assets => Path.Combine(DataDirectory, "assets");

    /// <summary>Holds <c>work/</c>.</summary>
    public string Worker => DataDirectory;
}
