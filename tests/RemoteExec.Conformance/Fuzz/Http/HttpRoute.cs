using Google.Protobuf;

namespace RemoteExec.Conformance;

/// <summary>One way in over HTTP, with a request that a server takes: what mutants are made of.</summary>
/// <param name="Path">Behind <c>{i}</c> stands an instance name, or nothing.</param>
/// <param name="Seed">Its body in JSON; null where <paramref name="Content"/> or nothing is sent.</param>
/// <param name="Query">Parameters that it knows.</param>
internal sealed record HttpRoute(string Family, string Method, string Path, IMessage? Seed, params IReadOnlyList<string> Query)
{
    /// <summary>Its body as it is: a blob, or a message.</summary>
    public byte[]? Content { get; init; }

    /// <summary>What the content is a message of.</summary>
    public IMessage? Message { get; init; }

    public string Name => $"{Method} {Path}";
}
