namespace RemoteExec.Conformance;

/// <summary>One abuse and its right answer. <paramref name="Blobs"/> are stored before, as any client may.</summary>
internal sealed record HostileCall(string Name, RawStatus Expected, string Method, IReadOnlyList<byte[]> Messages, IReadOnlyList<byte[]> Blobs)
{
    public IReadOnlyList<(string Name, string Value)> Headers { get; init; } = [];

    /// <summary>The protocol leaves the code to the server.</summary>
    public bool IsOurChoice { get; init; }

    public override string ToString() => Name;
}
