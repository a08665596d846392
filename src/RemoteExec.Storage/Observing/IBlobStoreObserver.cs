namespace RemoteExec.Storage;

/// <summary>
/// Told what one blob store did; metrics hang here. Called on any thread and for every blob: be quick, never wait. What it throws
/// changes nothing.
/// </summary>
public interface IBlobStoreObserver
{
    /// <summary>One question which blobs are missing.</summary>
    void Asked(int digests) { }

    /// <param name="sizeBytes">Null for a miss.</param>
    void Opened(long? sizeBytes) { }

    void Stored(long sizeBytes) { }

    /// <summary>An upload whose blob somebody else had stored meanwhile.</summary>
    void FoundPresent() { }

    /// <summary>An upload found no room.</summary>
    void Refused() { }

    void Evicted(long bytes) { }

    /// <summary>Of what was evicted, what went only because the results that it belonged to had lost something.</summary>
    void EvictedWithResults(long bytes) { }

    /// <summary>A blob was not what its name says.</summary>
    void Corrupted() { }

    /// <summary>So much was read again, to see whether it is what its name says.</summary>
    void Scrubbed(long bytes) { }

    /// <summary>One flush to the disk.</summary>
    void Flushed(TimeSpan duration) { }
}
