using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Blobs held for live work. Dispose when the work ends.</summary>
public sealed class BlobPin : IDisposable
{
    private Action? _release;

    internal BlobPin(IReadOnlyList<Digest> missing, Action release)
    {
        Missing = missing;
        _release = release;
    }

    /// <summary>What was asked for and is not in the store, and so is not held.</summary>
    public IReadOnlyList<Digest> Missing { get; }

    public void Dispose() => Interlocked.Exchange(ref _release, null)?.Invoke();
}
