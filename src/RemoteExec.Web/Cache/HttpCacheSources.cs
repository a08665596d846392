using RemoteExec.Core;
using RemoteExec.Storage;
using ActionResult = Build.Bazel.Remote.Execution.V2.ActionResult;

namespace RemoteExec.Web;

/// <summary>What the HTTP/1.1 cache reads and writes.</summary>
public sealed record HttpCacheSources
{
    /// <summary>Answers complete results only.</summary>
    public required IActionCache Results { get; init; }

    /// <summary>The same, for what is asked here and is nobody's hit.</summary>
    public required IActionCache Sizes { get; init; }

    /// <summary>Stores a client's result, by the rules of UpdateActionResult.</summary>
    public required Func<ActionCacheKey, ActionResult, CancellationToken, Task> StoreResultAsync { get; init; }

    /// <summary>The function of hashes, which no path names, where they have its length.</summary>
    public required DigestFunction UnnamedDigestFunction { get; init; }

    /// <summary>The largest blob taken.</summary>
    public required long BlobBytesMax { get; init; }

    /// <summary>The largest result taken.</summary>
    public int ResultBytesMax { get; init; } = 16 << 20;
}
