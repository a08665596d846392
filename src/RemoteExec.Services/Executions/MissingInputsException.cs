namespace RemoteExec.Services;

/// <summary>Blobs that an action needs are not stored. Whoever answers the client decides where the list of them has room.</summary>
/// <param name="first">What the first of them is to the action, in words.</param>
internal sealed class MissingInputsException(IReadOnlyList<Digest> missing, string first) : Exception($"{missing.Count} blobs are missing, the first is {first}")
{
    public IReadOnlyList<Digest> Missing { get; } = missing;

    public string First { get; } = first;
}
