using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Cli;

/// <summary>What a server has of one action; null is what it has no longer, or never had.</summary>
internal sealed record ActionStory(Digest Digest, WireAction? Action, WireCommand? Command, ActionResult? Result)
{
    private const int MessageBytesMax = 16 << 20;

    /// <exception cref="RpcException">INVALID_ARGUMENT when the digest is that of something else.</exception>
    public static async Task<ActionStory> ReadAsync(RemoteServer remote, IBlobStore blobs, Digest digest, CancellationToken cancellationToken)
    {
        var action = await ReadAsync(blobs, WireAction.Parser, digest, cancellationToken);
        var command = action is not null && WireDigests.TryFromWire(action.CommandDigest, digest.Function, out var name, out _)
            ? await ReadAsync(blobs, WireCommand.Parser, name, cancellationToken)
            : null;
        return new ActionStory(digest, action, command, await ResultAsync(remote, digest, cancellationToken));
    }

    private static async Task<T?> ReadAsync<T>(IBlobStore blobs, Google.Protobuf.MessageParser<T> parser, Digest digest, CancellationToken cancellationToken)
        where T : class, Google.Protobuf.IMessage<T> =>
        digest.SizeBytes <= MessageBytesMax && await blobs.ReadAllAsync(digest, MessageBytesMax, cancellationToken) is { } bytes
            ? WireMessages.Parse(parser, bytes, digest)
            : null;

    private static async Task<ActionResult?> ResultAsync(RemoteServer remote, Digest action, CancellationToken cancellationToken)
    {
        try
        {
            var request = new GetActionResultRequest
            {
                InstanceName = remote.Instance.Value,
                ActionDigest = action.ToWire(),
                DigestFunction = action.Function.ToWire(),
            };
            return await new ActionCache.ActionCacheClient(remote.Channel.CreateCallInvoker())
                .GetActionResultAsync(request, new CallOptions(cancellationToken: cancellationToken));
        }
        catch (RpcException none) when (none.StatusCode == StatusCode.NotFound)
        {
            return null;
        }
    }
}
