namespace RemoteExec.Storage;

/// <summary>One open blob. Eviction does not disturb it: what was opened can be read whole.</summary>
public interface IBlobReader : IAsyncDisposable
{
    /// <summary>Bytes not read yet.</summary>
    long RemainingBytes { get; }

    /// <summary>Reads into the caller's memory; 0 is the end of the blob.</summary>
    ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken);
}
