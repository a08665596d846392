using Grpc.Core;
using Microsoft.Extensions.Logging;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>The first stage: everything that the action reads is fetched, checked and put in place; and after the run, looked at.</summary>
/// <param name="store">Where input files are linked from.</param>
/// <param name="blobs">Brings them there.</param>
internal sealed partial class InputStage(
    ActionFetcher fetcher, BlobFetcher blobs, InputMaterialiser materialiser, ILocalBlobStore store, ILogger log)
{
    // A cache gives up what was used the longest ago. What was fetched a moment ago goes only when the inputs of the
    // actions that run are together larger than the cache; then one of them gets its turn, or none ever will.
    private const int RoundsMax = 5;

    public async ValueTask<FetchedAction> BringAsync(Attempt attempt, CancellationToken cancellationToken)
    {
        var directory = attempt.Directory!; // the first stage of all
        var action = await fetcher.FetchAsync(attempt.Lease, cancellationToken);
        await MaterialiseAsync(action.Inputs, directory, cancellationToken);
        bool withOutputs = OutputHabits.ExpectsOutputDirectories(attempt.Lease.RequestMetadata);
        materialiser.MakeOutputParents(action.Command.Outputs.DirectoriesToCreate(withOutputs), directory.InputRoot);
        if (action.Inputs.Files.Count > 0 && materialiser.Links)
            action = action with { Audit = new InputAudit(store, action.Inputs, directory.InputRoot, directory.PathBeside("check")) };
        // Last of all: the audit goes by the time of the root, which is not a client's to choose.
        materialiser.SetAttributes(action.Inputs, directory.InputRoot);
        return action;
    }

    /// <summary>After the command: its inputs are what they were, or nothing of this is a result.</summary>
    public async ValueTask CheckAsync(Attempt attempt, FetchedAction action, CancellationToken cancellationToken)
    {
        if (action.Audit is not { } audit || await audit.FindAlteredAsync(cancellationToken) is not { } altered) return;
        string path = Printable.Quote(altered.Path);
        LogInputAltered(attempt.Lease.Lease_.ExecutionId, altered.Digest, path);
        // Whatever comes after this action would be given the same file.
        store.PutAside(altered.Digest);
        throw RpcErrors.Of(StatusCode.Internal, $"the input {path} was altered in the worker's store while the action ran");
    }

    private async ValueTask MaterialiseAsync(InputTree inputs, WorkDirectory directory, CancellationToken cancellationToken)
    {
        var missing = await materialiser.MaterialiseAsync(inputs, directory.InputRoot, cancellationToken);
        for (int round = 1; missing.Count > 0; round++)
        {
            // Present a moment ago, evicted since. What is nowhere by now the client still has.
            var fetched = await blobs.EnsureLocalAsync(missing, cancellationToken);
            if (fetched.Missing.Count > 0) throw RpcErrors.MissingBlobsStatus(fetched.Missing, inputs.Describe(fetched.Missing[0])).ToException();
            if (round == RoundsMax)
                throw RpcErrors.Of(StatusCode.Unavailable, "its store is too small for the inputs of the actions that it runs; --cache-size gives it more");

            var again = missing.ToHashSet();
            missing = await materialiser.LinkAsync(inputs.Files.FindAll(file => again.Contains(file.Digest)), directory.InputRoot, cancellationToken);
        }
    }

    [LoggerMessage(EventId = 21, EventName = "input_altered", Level = LogLevel.Critical, Message = "input {Digest} of {ExecutionId} was altered in the store, seen at {Path}")]
    private partial void LogInputAltered(string executionId, Digest digest, string path);
}
