namespace RemoteExec.Conformance;

/// <summary>One rule of the protocol, asked of a server over the wire.</summary>
/// <param name="Id">The checkbox that it belongs to, such as C6. Several checks may share one.</param>
/// <param name="Rule">The rule in a sentence.</param>
/// <param name="Expected">What <paramref name="Look"/> says of a server that keeps it; one of several when they stand apart by " or ".</param>
/// <param name="Look">
/// Asks, and says what it saw. A call that fails needs no handling: its status is what was seen, spelled as gRPC spells it.
/// </param>
internal sealed record Check(string Id, string Rule, string Expected, Func<Peer, Task<string>> Look)
{
    private const string Alternative = " or ";

    /// <summary>What may differ between servers that keep the protocol: asked of our own only.</summary>
    public bool IsOurChoice { get; init; }

    /// <summary>It waits for longer than all others together; asked for by name or by --slow.</summary>
    public bool IsSlow { get; init; }

    public bool Accepts(string seen) => Expected.Split(Alternative).Contains(seen);

    // A test's name.
    public override string ToString() => $"{Id}: {Rule}";
}
