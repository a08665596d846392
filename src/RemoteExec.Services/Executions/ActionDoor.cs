using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// What an action must pass before it is queued, in REAPI's order (E1): the action, its command, its whole input tree.
/// Malformed is INVALID_ARGUMENT (E3); absent is FAILED_PRECONDITION and names everything that is absent (E2).
/// </summary>
internal sealed class ActionDoor(IBlobStore store, ServicesOptions options, TimeProvider clock)
{
    private readonly InputTrees _trees = new(store, options, clock);

    /// <param name="trustsMemory">False where something was found missing that should be there: the whole tree is looked at.</param>
    /// <exception cref="MissingInputsException">Blobs are absent.</exception>
    public async ValueTask<AdmittedAction> AdmitAsync(Digest digest, bool trustsMemory, CancellationToken cancellationToken)
    {
        var actionBlob = await ReadAsync(digest, ActionSpec.BlobBytesMax, "an action", cancellationToken)
            ?? throw new MissingInputsException([digest], "the action", found: null);
        var action = ActionSpec.Parse(actionBlob, digest, options.ActionTimeoutMax);

        // Both before either is complained about: each answer costs the client a round of uploads.
        var commandBlob = await ReadAsync(action.Command, CommandSpec.BlobBytesMax, "a command", cancellationToken);
        var command = commandBlob is { } blob
            ? CommandSpec.Parse(blob, action.Command)
            : null;
        var missing = await _trees.FindMissingAsync(action.InputRoot, trustsMemory, cancellationToken);
        if (command is null) throw new MissingInputsException([action.Command, .. missing.Where(blob => blob != action.Command)], "the command", found: null);
        if (missing.Count > 0) throw new MissingInputsException(missing, await _trees.DescribeAsync(action.InputRoot, missing[0], cancellationToken), (action, command));

        var platform = action.PlatformWith(command);
        if (!await _trees.HasDirectoryAsync(action.InputRoot, command.WorkingDirectory, cancellationToken))
            throw RpcErrors.Invalid($"action {digest}: the working directory '{command.WorkingDirectory}' is not in its input tree");
        return new AdmittedAction(action, command, platform);
    }

    private async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(Digest digest, int bytesMax, string what, CancellationToken cancellationToken) =>
        digest.SizeBytes > bytesMax
            ? throw RpcErrors.Invalid($"blob {digest} is too large to be {what}")
            : await store.ReadAllAsync(digest, bytesMax, cancellationToken);
}
