using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using RemoteExec.Core;
using RemoteExec.Storage;

namespace RemoteExec.Testing;

/// <summary>Results in memory, bounded, as bytes: each reader gets a message of its own.</summary>
internal sealed class MemoryActionCache(long limitBytes) : IActionCache
{
    private readonly SizedLru<ActionCacheKey, byte[]> _results = new(limitBytes);

    public ValueTask<ActionResult?> GetAsync(ActionCacheKey key, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_results.TryGet(key, out byte[]? bytes) ? ActionResult.Parser.ParseFrom(bytes) : null);

    public ValueTask PutAsync(ActionCacheKey key, ActionResult result, CancellationToken cancellationToken)
    {
        _results.Set(key, result.ToByteArray(), result.CalculateSize());
        return ValueTask.CompletedTask;
    }
}
