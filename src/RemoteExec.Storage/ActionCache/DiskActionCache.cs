using System.Buffers;
using System.Globalization;
using System.IO.Enumeration;
using Build.Bazel.Remote.Execution.V2;
using Directory = System.IO.Directory;

namespace RemoteExec.Storage;

/// <summary>
/// Results as small checksummed files, bounded in number and bytes, the least recently used evicted first.
/// </summary>
/// <remarks>
/// Not flushed: what a loss of power tears is a miss, and a miss is repaired by running the action again. A killed
/// process loses nothing. The last use is kept as the file's modification time, which nobody else needs.
/// </remarks>
public sealed class DiskActionCache : IActionCache
{
    private const int ShardCount = 16;

    private static readonly SearchValues<char> Hexadecimal = SearchValues.Create("0123456789abcdef");

    private readonly DiskActionCacheOptions _options;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, LinkedListNode<Entry>> _entries = new(StringComparer.Ordinal);
    private readonly LinkedList<Entry> _uses = new(); // first is the oldest
    private long _usedBytes;
    private long _lastTemp;

    private DiskActionCache(DiskActionCacheOptions options, TimeProvider time)
    {
        _options = options;
        _time = time;
    }

    public int Entries
    {
        get { lock (_gate) return _entries.Count; }
    }

    private string TempDirectory => Path.Combine(_options.Directory, "temp");

    /// <exception cref="StorageDirectoryException">The directory cannot be used, in one sentence for the operator.</exception>
    public static DiskActionCache Open(DiskActionCacheOptions options, TimeProvider time)
    {
        var cache = new DiskActionCache(options, time);
        try
        {
            cache.Load();
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            throw new StorageDirectoryException($"The action cache directory {options.Directory} cannot be used: {failed.Message}", failed);
        }

        return cache;
    }

    public ValueTask<ActionResult?> GetAsync(ActionCacheKey key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        string name = ActionCacheEntry.FileNameOf(key);
        if (!TryUse(name)) return ValueTask.FromResult<ActionResult?>(null);

        try
        {
            if (ActionCacheEntry.TryRead(File.ReadAllBytes(PathOf(name)), key, out var result))
                return ValueTask.FromResult<ActionResult?>(result);
        }
        catch (FileNotFoundException)
        {
            // Evicted in this instant, or deleted by somebody: a miss either way.
        }
        catch (IOException failed)
        {
            throw StorageErrors.FromErrno(failed.HResult, "reading a cached result", _options.Directory);
        }

        lock (_gate) Drop(name);
        return ValueTask.FromResult<ActionResult?>(null);
    }

    public ValueTask PutAsync(ActionCacheKey key, ActionResult result, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        string name = ActionCacheEntry.FileNameOf(key);
        byte[] bytes = ActionCacheEntry.Write(key, result);
        string temp = Path.Combine(TempDirectory, Interlocked.Increment(ref _lastTemp).ToString("x", CultureInfo.InvariantCulture));
        try
        {
            File.WriteAllBytes(temp, bytes);
            var now = _time.GetUtcNow().UtcDateTime;
            File.SetLastWriteTimeUtc(temp, now);
            lock (_gate)
            {
                File.Move(temp, PathOf(name), overwrite: true);
                Add(name, bytes.Length, now);
                while (_usedBytes > _options.LimitBytes || _entries.Count > _options.EntriesMax) Drop(_uses.First!.Value.Name);
            }
        }
        catch (IOException failed)
        {
            File.Delete(temp);
            throw StorageErrors.FromErrno(failed.HResult, "storing a result", _options.Directory);
        }

        return ValueTask.CompletedTask;
    }

    private static string ShardName(int shard) => shard.ToString("x", CultureInfo.InvariantCulture);

    private static bool IsEntryName(ReadOnlySpan<char> name) => name.Length == 64 && !name.ContainsAnyExcept(Hexadecimal);

    private string PathOf(string name) => Path.Combine(_options.Directory, name[..1], name);

    private void Load()
    {
        Directory.CreateDirectory(TempDirectory);
        foreach (string abandoned in Directory.EnumerateFiles(TempDirectory)) File.Delete(abandoned);

        var found = new List<Entry>();
        for (int shard = 0; shard < ShardCount; shard++)
        {
            string directory = Path.Combine(_options.Directory, ShardName(shard));
            Directory.CreateDirectory(directory);
            found.AddRange(new FileSystemEnumerable<Entry>(
                directory,
                static (ref FileSystemEntry file) => new Entry(file.FileName.ToString(), (int)file.Length) { LastUse = file.LastWriteTimeUtc.UtcDateTime })
            {
                ShouldIncludePredicate = static (ref FileSystemEntry file) => IsEntryName(file.FileName),
            });
        }

        foreach (var entry in found.OrderBy(entry => entry.LastUse)) Add(entry.Name, entry.SizeBytes, entry.LastUse);
    }

    private bool TryUse(string name)
    {
        var now = _time.GetUtcNow().UtcDateTime;
        lock (_gate)
        {
            if (!_entries.TryGetValue(name, out var node)) return false;

            _uses.Remove(node);
            _uses.AddLast(node);
            if (now - node.Value.LastUse < _options.UseGranularity) return true;
            node.Value.LastUse = now;
        }

        try
        {
            File.SetLastWriteTimeUtc(PathOf(name), now);
        }
        catch (IOException)
        {
            // The reading that follows finds out what is wrong with the file, and says so.
        }

        return true;
    }

    private void Add(string name, int sizeBytes, DateTime lastUse)
    {
        if (_entries.Remove(name, out var known))
        {
            _uses.Remove(known);
            _usedBytes -= known.Value.SizeBytes;
        }

        _entries[name] = _uses.AddLast(new Entry(name, sizeBytes) { LastUse = lastUse });
        _usedBytes += sizeBytes;
    }

    private void Drop(string name)
    {
        if (!_entries.Remove(name, out var node)) return;
        File.Delete(PathOf(name));
        _uses.Remove(node);
        _usedBytes -= node.Value.SizeBytes;
    }

    private sealed class Entry(string name, int sizeBytes)
    {
        public string Name => name;

        public int SizeBytes => sizeBytes;

        public DateTime LastUse { get; set; }
    }
}
