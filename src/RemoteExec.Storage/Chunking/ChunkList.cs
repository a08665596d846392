namespace RemoteExec.Storage;

/// <summary>The chunks whose bytes, one after the other, are a blob. All are of the blob's own hash function.</summary>
/// <param name="Algorithm">How they were cut, as far as that is known.</param>
public sealed record ChunkList(ChunkingAlgorithm Algorithm, IReadOnlyList<Digest> Chunks)
{
    /// <summary>The blob is stored whole, and its chunks are parts of it. Otherwise it is its chunks.</summary>
    public bool IsOfWhole { get; init; }
}
