using System.Runtime.InteropServices;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>
/// Reads an Action and all it refers to, checks it, and brings its input files to this machine. Whatever is
/// absent is reported at once and completely, so that the client uploads it in one go (REAPI E2).
/// </summary>
internal sealed class ActionFetcher(BlobFetcher blobs, Func<Limits> limits)
{
    private readonly InputTreeWalk _walk = new(blobs, () => limits().Tree);

    public async ValueTask<FetchedAction> FetchAsync(Lease lease, CancellationToken cancellationToken)
    {
        var function = WireDigests.FunctionOf(lease.DigestFunction, lease.ActionDigest, unnamed: default);
        var actionDigest = WireDigests.FromWire(lease.ActionDigest, function, "action_digest");
        var actionBlob = await blobs.ReadAsync(actionDigest, ActionSpec.BlobBytesMax, cancellationToken)
            ?? throw Missing([actionDigest], "the action");
        // The coordinator has held the timeout against its maximum when it took the action in.
        var action = ActionSpec.Parse(actionBlob, actionDigest, TimeSpan.MaxValue);

        var missing = new List<Digest>();
        var commandBlob = await blobs.ReadAsync(action.Command, CommandSpec.BlobBytesMax, cancellationToken);
        if (commandBlob is null) missing.Add(action.Command);
        var inputs = await _walk.ReadAsync(action.InputRoot, missing, cancellationToken);
        var fetched = await blobs.EnsureLocalAsync(DistinctFiles(inputs), cancellationToken);
        missing.AddRange(fetched.Missing);
        if (missing.Count > 0) throw Missing(missing, commandBlob is null ? "the command" : missing[0] == action.InputRoot ? "the input root" : inputs.Describe(missing[0]));

        var command = CommandSpec.Parse(commandBlob!.Value, action.Command);
        if (command.WorkingDirectory.Length > 0 && !inputs.Directories.Contains(command.WorkingDirectory))
            throw RpcErrors.Invalid($"the working directory {Printable.Quote(command.WorkingDirectory)} is not in the input tree"); // REAPI X4
        return new FetchedAction(action, command, inputs, fetched.FetchedBytes);
    }

    private static RpcException Missing(List<Digest> missing, string first) =>
        RpcErrors.MissingBlobsStatus(missing.Distinct(), first).ToException();

    private static List<Digest> DistinctFiles(InputTree inputs)
    {
        var digests = new HashSet<Digest>(inputs.Files.Count);
        foreach (var file in CollectionsMarshal.AsSpan(inputs.Files))
        {
            if (!file.Digest.IsEmpty) digests.Add(file.Digest);
        }
        return [.. digests];
    }
}
