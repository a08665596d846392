namespace RemoteExec.Services;

/// <summary>Blobs that an action needs are not stored. Whoever answers the client decides where the list of them has room.</summary>
internal sealed class MissingInputsException(IReadOnlyList<Digest> missing) : Exception($"{missing.Count} blobs are missing")
{
    public IReadOnlyList<Digest> Missing { get; } = missing;
}
