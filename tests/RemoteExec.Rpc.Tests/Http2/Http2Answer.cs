namespace RemoteExec.Rpc.Tests;

/// <summary>All that a server sent on one stream.</summary>
internal sealed record Http2Answer(
    IReadOnlyList<(string Name, string Value)> Headers,
    byte[] Data,
    IReadOnlyList<(string Name, string Value)>? Trailers,
    Http2Error? Reset)
{
    /// <summary>A header or trailer by name; null if there is none, an error if there are several.</summary>
    public string? this[string name] =>
        Headers.Concat(Trailers ?? []).Where(header => header.Name == name).Select(header => header.Value).SingleOrDefault();

    public bool IsTrailersOnly => Trailers is null && Data.Length == 0;
}
