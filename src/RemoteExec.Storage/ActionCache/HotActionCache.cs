using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// Keeps the results used last in memory, in front of a cache that has to read a file: as bytes, so that each reader gets a message of its own.
/// </summary>
public sealed class HotActionCache(IActionCache inner, long limitBytes) : IActionCache
{
    // Key, node and table slot weigh about this much beside the result's bytes.
    private const int EntryOverheadBytes = 256;

    private readonly SizedLru<ActionCacheKey, byte[]> _hot = new(limitBytes);
    private long _puts;

    public async ValueTask<ActionResult?> GetAsync(ActionCacheKey key, CancellationToken cancellationToken)
    {
        if (_hot.TryGet(key, out byte[]? hot)) return ActionResult.Parser.ParseFrom(hot);

        long puts = Interlocked.Read(ref _puts);
        var result = await inner.GetAsync(key, cancellationToken);
        if (result is null) return null;

        byte[] bytes = result.ToByteArray();
        _hot.Set(key, bytes, bytes.Length + EntryOverheadBytes);
        // What was read may be older than what was put meanwhile: then memory must not hide the newer one.
        if (Interlocked.Read(ref _puts) != puts) _hot.Remove(key);
        return result;
    }

    public async ValueTask PutAsync(ActionCacheKey key, ActionResult result, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _puts);
        try
        {
            await inner.PutAsync(key, result, cancellationToken);
        }
        finally
        {
            // Not the new result: two puts may end in another order than they began, and the inner cache decides.
            Interlocked.Increment(ref _puts);
            _hot.Remove(key);
        }
    }
}
