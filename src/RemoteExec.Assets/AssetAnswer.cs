using Grpc.Core;

namespace RemoteExec.Assets;

/// <summary>How a fetch went: content, or why there is none. A failure of the origin is an answer, not a failure of the call (REAPI S1).</summary>
/// <param name="Failure">Null when there is content.</param>
/// <param name="Uri">Where the content came from, whenever that was; of a failure, the last that was tried.</param>
/// <param name="Digest">The blob, or the root Directory.</param>
/// <param name="ExpiresAt">Until then the content stays here.</param>
public sealed record AssetAnswer(RpcException? Failure, string Uri, Digest Digest, DateTimeOffset ExpiresAt)
{
    internal static AssetAnswer Of(RpcException failure, string uri) => new(failure, uri, default, default);
}
