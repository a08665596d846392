namespace RemoteExec.Protocol;

/// <summary>One distinct Directory of a tree.</summary>
/// <param name="Message">Null when it is absent.</param>
/// <param name="Children">The digests of its directories, in its own order.</param>
public readonly record struct FoundDirectory(Digest Digest, WireDirectory? Message, IReadOnlyList<Digest> Children);
