namespace RemoteExec.Worker;

/// <summary>
/// Directories that were read and checked before. Consecutive actions share most of their input trees, and
/// reading two thousand small blobs again for each would cost more than linking the files.
/// </summary>
internal sealed class DirectoryCache(long bytesMax)
{
    private readonly Core.SizedLru<Digest, WireDirectory> _directories = new(bytesMax);

    public WireDirectory? Find(Digest digest) => _directories.TryGet(digest, out var directory) ? directory : null;

    /// <summary>Keeps a checked directory; nobody changes it afterwards.</summary>
    public void Add(Digest digest, WireDirectory directory) =>
        // Parsed messages take about three times their wire size, mostly strings; an entry some 200 bytes.
        _directories.Set(digest, directory, (3 * digest.SizeBytes) + 200);
}
