namespace RemoteExec.Storage;

/// <summary>What a result refers to.</summary>
/// <param name="Digests">Every blob; one may stand here more than once.</param>
/// <param name="Unread">Trees and Directories among them that were absent: what hangs below them is not known.</param>
public sealed record ResultReferences(IReadOnlyList<Digest> Digests, IReadOnlyList<Digest> Unread);
