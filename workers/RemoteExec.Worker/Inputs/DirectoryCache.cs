namespace RemoteExec.Worker;

/// <summary>
/// Directories that were read and checked before. Consecutive actions share most of their input trees, and
/// reading two thousand small blobs again for each would cost more than linking the files.
/// </summary>
internal sealed class DirectoryCache(long bytesMax)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Digest, LinkedListNode<Entry>> _entries = [];
    private readonly LinkedList<Entry> _byUse = []; // most recent first
    private long _bytes;

    public WireDirectory? Find(Digest digest)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(digest, out var node)) return null;
            _byUse.Remove(node);
            _byUse.AddFirst(node);
            return node.Value.Directory;
        }
    }

    /// <summary>Keeps a checked directory; nobody changes it afterwards.</summary>
    public void Add(Digest digest, WireDirectory directory)
    {
        if (Cost(digest) > bytesMax) return;
        lock (_lock)
        {
            if (_entries.ContainsKey(digest)) return;
            _entries.Add(digest, _byUse.AddFirst(new Entry(digest, directory)));
            _bytes += Cost(digest);
            while (_bytes > bytesMax && _byUse.Last is { } oldest)
            {
                _byUse.RemoveLast();
                _entries.Remove(oldest.Value.Digest);
                _bytes -= Cost(oldest.Value.Digest);
            }
        }
    }

    // Parsed messages take about three times their wire size, mostly strings; an entry some 200 bytes.
    private static long Cost(Digest digest) => 3 * digest.SizeBytes + 200;

    private readonly record struct Entry(Digest Digest, WireDirectory Directory);
}
