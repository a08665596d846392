using System.Diagnostics;
using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>
/// Which chunks a blob consists of; one list for each blob, the newest. A blob that is stored by its chunks alone is only here, so a list is on
/// disk before anybody is told of the blob, and none that was used lately gives way to another. What the chunks' store has lost makes a
/// list worthless; whoever finds that out takes it away.
/// </summary>
public sealed class ChunkLists : IDisposable
{
    private readonly ChunkListsOptions _options;
    private readonly SteadyTime _time;
    private readonly Lock _gate = new();
    private readonly Lock _writing = new(); // taken first
    private readonly Dictionary<Digest, LinkedListNode<Entry>> _entries = [];
    private readonly LinkedList<Entry> _uses = new(); // first is the oldest
    private readonly ChunkListLog? _log;
    private int _chunks;
    private long _bytes; // that they take in the log

    private ChunkLists(ChunkListsOptions options, TimeProvider time)
    {
        _options = options;
        _time = new SteadyTime(time);
        // When they were used is not on disk: all that are found are kept as if they had been used now, which breaks no promise.
        if (options.Directory is { } directory) _log = ChunkListLog.Open(directory, options.Disk, (blob, list) => Set(blob, list));
    }

    public int Count
    {
        get { lock (_gate) return _entries.Count; }
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

    /// <summary>Whether there is a list, which is not used by that.</summary>
    public bool Has(Digest blob)
    {
        lock (_gate) return _entries.ContainsKey(blob);
    }

    /// <summary>The list of a blob, used from now on; whether its chunks are all there is not said.</summary>
    public ChunkList? Find(Digest blob)
    {
        lock (_gate)
        {
            if (!_entries.TryGetValue(blob, out var node)) return null;

            node.Value.LastUse = _time.GetUtcNow();
            _uses.Remove(node);
            _uses.AddLast(node);
            return node.Value.List;
        }
    }

    /// <summary>Keeps a list, in place of any other of the blob; it is durable when this returns.</summary>
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
            catch (IOException failed)
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
            if (_entries.TryGetValue(blob, out var node) && ReferenceEquals(node.Value.List, list)) Drop(blob);
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
        int replaced = _entries.TryGetValue(blob, out var present) ? present.Value.List.Chunks.Count : 0;
        while (_chunks - replaced + chunks > _options.ChunksMax)
        {
            // A promise that has not ended is never broken for a new one.
            if (_uses.First?.Value is not { } oldest || oldest.Blob == blob || oldest.LastUse + _options.Retention > now)
            {
                throw StorageErrors.Retriable(
                    StatusCode.ResourceExhausted, $"no room for the {chunks} chunks of {blob}: the lists of other blobs are in use", TimeSpan.FromMinutes(1));
            }

            Drop(oldest.Blob);
        }
    }

    private void Set(Digest blob, ChunkList list)
    {
        Drop(blob);
        _entries[blob] = _uses.AddLast(new Entry(blob, list) { LastUse = _time.GetUtcNow() });
        _chunks += list.Chunks.Count;
        _bytes += ChunkListFormat.FrameBytes(blob, list);
    }

    private void Drop(Digest blob)
    {
        if (!_entries.Remove(blob, out var node)) return;
        _uses.Remove(node);
        _chunks -= node.Value.List.Chunks.Count;
        _bytes -= ChunkListFormat.FrameBytes(blob, node.Value.List);
    }

    private sealed class Entry(Digest blob, ChunkList list)
    {
        public Digest Blob => blob;

        public ChunkList List => list;

        public DateTimeOffset LastUse { get; set; }
    }
}
