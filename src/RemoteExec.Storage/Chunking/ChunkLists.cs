using System.Diagnostics;
using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>
/// Which chunks a blob consists of, by each algorithm that it was cut with. A blob that is stored by its chunks alone is only here, and so are chunks
/// that are parts of a whole one: a list is on disk before anybody is told of them, and none that was used lately gives way to another.
/// What the store has lost makes a list worthless; whoever finds that out takes it away.
/// </summary>
public sealed class ChunkLists : IDisposable
{
    private readonly ChunkListsOptions _options;
    private readonly SteadyTime _time;
    private readonly Lock _gate = new();
    private readonly Lock _writing = new(); // taken first
    private readonly Dictionary<Digest, List<LinkedListNode<Entry>>> _entries = []; // by the blob; a few each, newest last
    private readonly Dictionary<Digest, (LinkedListNode<Entry> Node, long Offset)> _places = []; // by the chunk
    private readonly LinkedList<Entry> _uses = new(); // first is the oldest
    private readonly ChunkListLog? _log;
    private int _chunks;
    private long _bytes; // that they take in the log

    private ChunkLists(ChunkListsOptions options, TimeProvider time)
    {
        _options = options;
        _time = new SteadyTime(time);
        if (options.Directory is not { } directory) return;

        _log = ChunkListLog.Open(directory, options.Disk, Restore);
        foreach (var entry in _uses.OrderBy(entry => entry.LastUse).ToList())
        {
            // In the order of use, which is not the one in which they were written.
            var node = _entries[entry.Blob].Find(node => node.Value == entry)!;
            _uses.Remove(node);
            _uses.AddLast(node);
        }
    }

    public int Count
    {
        get { lock (_gate) return _uses.Count; }
    }

    /// <exception cref="StorageDirectoryException">The directory cannot be used, in one sentence for the operator.</exception>
    public static ChunkLists Open(ChunkListsOptions options, TimeProvider time)
    {
        try
        {
            return new ChunkLists(options, time);
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            throw new StorageDirectoryException($"The directory of chunk lists {options.Directory} cannot be used: {failed.Message}", failed);
        }
    }

    /// <summary>Whether it is a blob with a list or a part of one, which is not used by that.</summary>
    public bool Has(Digest digest)
    {
        lock (_gate) return _entries.ContainsKey(digest) || _places.ContainsKey(digest);
    }

    /// <summary>Whether so many more would find room now, without a list giving way that was used lately.</summary>
    public bool HasRoom(long chunks)
    {
        lock (_gate)
        {
            var now = _time.GetUtcNow();
            long wanted = _chunks + chunks - _options.ChunksMax;
            for (var oldest = _uses.First; wanted > 0 && oldest is not null && oldest.Value.LastUse + _options.Retention <= now; oldest = oldest.Next)
                wanted -= oldest.Value.List.Chunks.Count;
            return wanted <= 0;
        }
    }

    /// <summary>The newest list of a blob that is asked for, used from now on; whether its chunks are all there is not said.</summary>
    public ChunkList? Find(Digest blob, Func<ChunkList, bool> isWanted)
    {
        lock (_gate)
        {
            var found = _entries.GetValueOrDefault(blob)?.FindLast(node => isWanted(node.Value.List));
            if (found is null) return null;

            Use(found);
            // Another whole one may have the same chunks: they are looked for in the one whose chunks were asked for last, which is promised longest.
            Place(found);
            return found.Value.List;
        }
    }

    /// <summary>All lists of a blob, which are not used by that.</summary>
    internal ChunkList[] Peek(Digest blob)
    {
        lock (_gate) return _entries.TryGetValue(blob, out var lists) ? [.. lists.Select(node => node.Value.List)] : [];
    }

    /// <summary>The blob that a chunk is a part of, whose list is not used by that.</summary>
    internal Digest? PeekWhole(Digest chunk)
    {
        lock (_gate) return _places.TryGetValue(chunk, out var place) ? place.Node.Value.Blob : null;
    }

    /// <summary>Where a chunk is that is a part of a whole blob, if that is still there; its list is used from now on.</summary>
    public ChunkPlace? FindPlace(Digest chunk)
    {
        lock (_gate)
        {
            if (!_places.TryGetValue(chunk, out var place)) return null;

            Use(place.Node);
            return new ChunkPlace(place.Node.Value.Blob, place.Offset);
        }
    }

    /// <summary>Those of many that <see cref="Has"/> would tell of, in their order.</summary>
    public List<int> Which(IReadOnlyList<Digest> digests)
    {
        var known = new List<int>();
        lock (_gate)
        {
            for (int i = 0; i < digests.Count; i++)
                if (_entries.ContainsKey(digests[i]) || _places.ContainsKey(digests[i])) known.Add(i);
        }

        return known;
    }

    /// <summary>Keeps a list, in place of any other of the blob by the same algorithm; it is durable when this returns.</summary>
    /// <exception cref="RpcException">RESOURCE_EXHAUSTED when there are too many lists in use; UNAVAILABLE when the disk fails.</exception>
    public void Add(Digest blob, ChunkList list)
    {
        Debug.Assert(list.Chunks.Sum(chunk => chunk.SizeBytes) == blob.SizeBytes);
        // Apart from the other one: whoever looks for a list does not wait for the disk.
        lock (_writing)
        {
            lock (_gate) MakeRoom(blob, list.Chunks.Count);
            try
            {
                _log?.Append(blob, list);
            }
            catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
            {
                throw StorageErrors.FromErrno(failed.HResult, "storing a list of chunks", _options.Directory!);
            }

            lock (_gate) Set(blob, list);
            _log?.Compact(_bytes, Snapshot);
        }
    }

    /// <summary>Takes a list away whose chunks are not all there any more, unless it was replaced meanwhile.</summary>
    public void Remove(Digest blob, ChunkList list)
    {
        lock (_gate)
        {
            // On disk it stays until it is in the way; a restart finds it, and then finds out again.
            if (_entries.GetValueOrDefault(blob)?.Find(node => ReferenceEquals(node.Value.List, list)) is { } found) Drop(found);
        }
    }

    public void Dispose()
    {
        lock (_writing) _log?.Dispose();
    }

    private List<(Digest, ChunkList)> Snapshot()
    {
        lock (_gate) return [.. _uses.Select(entry => (entry.Blob, entry.List))];
    }

    private void MakeRoom(Digest blob, int chunks)
    {
        var now = _time.GetUtcNow();
        while (_chunks + chunks > _options.ChunksMax)
        {
            // A promise that has not ended is never broken for a new one.
            if (_uses.First is not { } oldest || oldest.Value.LastUse + _options.Retention > now)
            {
                throw StorageErrors.Retriable(
                    StatusCode.ResourceExhausted, $"no room for the {chunks} chunks of {blob}: the lists of other blobs are in use", TimeSpan.FromMinutes(1));
            }

            Drop(oldest);
        }
    }

    /// <summary>Every use of a list is one of all that it consists of: it is as old as the oldest, and worthless when one is not there.</summary>
    private void Restore(Digest blob, ChunkList list)
    {
        var unused = TimeSpan.Zero;
        foreach (var digest in list.IsOfWhole ? [blob] : list.Chunks)
        {
            if (_options.UnusedFor is not { } unusedFor) break;
            if (unusedFor(digest) is not { } age) return;
            if (age > unused) unused = age;
        }

        Set(blob, list);
        _uses.Last!.Value.LastUse -= unused;
    }

    private void Set(Digest blob, ChunkList list)
    {
        if (!_entries.TryGetValue(blob, out var lists)) _entries[blob] = lists = [];
        // Not before the new one is in: with a blob's last list its entry goes.
        var replaced = lists.Find(node => node.Value.List.Algorithm == list.Algorithm);
        var added = _uses.AddLast(new Entry(blob, list) { LastUse = _time.GetUtcNow() });
        lists.Add(added);
        if (replaced is not null) Drop(replaced);
        _chunks += list.Chunks.Count;
        _bytes += ChunkListFormat.FrameBytes(blob, list);
        Place(added);
    }

    private void Place(LinkedListNode<Entry> node)
    {
        if (!node.Value.List.IsOfWhole) return;

        long offset = 0;
        foreach (var chunk in node.Value.List.Chunks)
        {
            _places[chunk] = (node, offset);
            offset += chunk.SizeBytes;
        }
    }

    private void Use(LinkedListNode<Entry> node)
    {
        node.Value.LastUse = _time.GetUtcNow();
        _uses.Remove(node);
        _uses.AddLast(node);
    }

    private void Drop(LinkedListNode<Entry> node)
    {
        var (blob, list) = (node.Value.Blob, node.Value.List);
        var lists = _entries[blob];
        lists.Remove(node);
        if (lists.Count == 0) _entries.Remove(blob);
        _uses.Remove(node);
        _chunks -= list.Chunks.Count;
        _bytes -= ChunkListFormat.FrameBytes(blob, list);
        if (!list.IsOfWhole) return;

        foreach (var chunk in list.Chunks)
        {
            // Another blob may have the same chunk.
            if (_places.TryGetValue(chunk, out var place) && place.Node == node) _places.Remove(chunk);
        }
    }

    private sealed class Entry(Digest blob, ChunkList list)
    {
        public Digest Blob => blob;

        public ChunkList List => list;

        public DateTimeOffset LastUse { get; set; }
    }
}
