using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Results in memory, bounded, as bytes: each reader gets a message of its own.</summary>
public sealed class MemoryActionCache(long limitBytes) : IActionCache
{
    // Key, node and table slot weigh about this much beside the result's bytes.
    private const int EntryOverheadBytes = 256;

    private readonly SizedLru<ActionCacheKey, byte[]> _results = new(limitBytes);

    public ValueTask<ActionResult?> GetAsync(ActionCacheKey key, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_results.TryGet(key, out byte[]? bytes) ? ActionResult.Parser.ParseFrom(bytes) : null);

    public ValueTask PutAsync(ActionCacheKey key, ActionResult result, CancellationToken cancellationToken)
    {
        byte[] bytes = result.ToByteArray();
        _results.Set(key, bytes, bytes.Length + EntryOverheadBytes);
        return ValueTask.CompletedTask;
    }

    internal void Remove(ActionCacheKey key) => _results.Remove(key);
}
