using Grpc.Core;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// Which actions have to run again for one request. It remembers what it was asked: an action runs once for a request, and a blob that is
/// lost a second time is not made a second time. So every search ends: each step adds an action, and there are at most so many.
/// </summary>
internal sealed class ProducerSearch(ProducerTable producers, IBlobStore store, ActionDoor door, RederivationOptions options, InstanceName instance) : IDisposable
{
    // Of one request. A tree of a hundred thousand lost files is a store that was emptied, and not a blob that went.
    private const int LostMax = 10_000;

    private readonly SemaphoreSlim _turn = new(1);
    private readonly Dictionary<Digest, ProducerRun> _runs = [];
    private int _lost;

    /// <summary>Whether this farm has made any of them: if not, they were never here, and nothing is to be said about it.</summary>
    public bool KnowsAny(IReadOnlyList<Digest> lost)
    {
        foreach (var output in lost.Take(LostMax))
        {
            if (producers.Find(instance, output) is not null) return true;
        }

        return false;
    }

    /// <summary>What to run for these, each with what it needs in turn.</summary>
    /// <param name="waiter">Whose inputs they are; null for those of the request itself.</param>
    /// <exception cref="RederivationFailure">Some of them cannot be made.</exception>
    public async ValueTask<IReadOnlyList<ProducerRun>> FindAsync(IReadOnlyList<Digest> lost, ProducerRun? waiter, CancellationToken cancellationToken)
    {
        // Producers that run at the same time may find more missing at the same time.
        await _turn.WaitAsync(cancellationToken);
        try
        {
            var runs = await ResolveAllAsync(lost, 1 + (waiter?.Depth ?? 0), cancellationToken);
            waiter?.Await(runs);
            return runs;
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();

    private async ValueTask<IReadOnlyList<ProducerRun>> ResolveAllAsync(IReadOnlyList<Digest> lost, int depth, CancellationToken cancellationToken)
    {
        if ((_lost += lost.Count) > LostMax) throw RederivationFailure.Refused($"more than {LostMax} blobs are lost");

        var runs = new HashSet<ProducerRun>();
        foreach (var output in lost)
        {
            if (await ResolveAsync(output, depth, cancellationToken) is { } run) runs.Add(run);
        }

        return [.. runs];
    }

    /// <returns>Null when it has come meanwhile.</returns>
    private async ValueTask<ProducerRun?> ResolveAsync(Digest lost, int depth, CancellationToken cancellationToken)
    {
        if (producers.Find(instance, lost) is not { } action) throw RederivationFailure.Refused($"it is not known what made {lost}");
        if (_runs.TryGetValue(action, out var known)) return await JoinAsync(known, lost, cancellationToken);
        if (depth > options.DepthMax) throw RederivationFailure.Refused($"more than {options.DepthMax} actions would have to run after each other (--rederive-depth)");
        if (_runs.Count == options.ActionsMax) throw RederivationFailure.Refused($"more than {options.ActionsMax} actions would have to run (--rederive-actions)");

        var run = new ProducerRun(action, depth);
        run.Want(lost);
        _runs.Add(action, run);
        var missing = await MissingOfAsync(action, lost, cancellationToken);
        if (missing.Count > 0) run.Await(await ResolveAllAsync(missing, depth + 1, cancellationToken));
        run.IsOpen = false;
        return run;
    }

    private async ValueTask<ProducerRun?> JoinAsync(ProducerRun run, Digest lost, CancellationToken cancellationToken)
    {
        if (run.IsOpen) throw RederivationFailure.Refused($"action {run.Action} would need what it makes");
        bool isNew = run.Want(lost);
        if (!run.IsOver) return run;
        // Whoever found it missing may have looked before the run was over.
        if ((await store.FindMissingAsync([lost], cancellationToken)).Count == 0) return null;
        if (!isNew) throw RederivationFailure.Refused($"{lost} was made again, and is gone again");

        producers.Forget(instance, lost);
        throw Other(run.Action, lost);
    }

    /// <summary>It ran, and made something else in place of this.</summary>
    public static RederivationFailure Other(Digest action, Digest lost) =>
        new(RederivationOutcome.Nondeterministic, $"action {action} ran again and did not make {lost} another time");

    private async ValueTask<IReadOnlyList<Digest>> MissingOfAsync(Digest action, Digest lost, CancellationToken cancellationToken)
    {
        try
        {
            await door.AdmitAsync(action, trustsMemory: false, cancellationToken);
            return [];
        }
        catch (MissingInputsException inputs)
        {
            return inputs.Action is not null ? inputs.Missing : throw RederivationFailure.Refused($"{inputs.First} that made {lost} is gone, too: {inputs.Missing[0]}");
        }
        catch (RpcException refused)
        {
            throw RederivationFailure.Refused($"the action that made {lost} cannot be run: {refused.Status.Detail}");
        }
    }
}
