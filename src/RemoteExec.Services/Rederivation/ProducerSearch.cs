using Grpc.Core;
using RemoteExec.Scheduling;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// Which actions have to run again for one request. It remembers what it was asked: an action runs once for a request, and a blob that is
/// lost a second time is not made a second time. So every search ends: each step adds an action, and there are at most so many.
/// </summary>
/// <param name="request">What lacks inputs. Its action makes none of them.</param>
internal sealed class ProducerSearch(ProducerTable producers, IBlobStore store, ActionDoor door, RederivationOptions options, ExecutionRequest request) : IDisposable
{
    // Of one request. A tree of a hundred thousand lost files is a store that was emptied, and not a blob that went.
    private const int LostMax = 10_000;

    private readonly SemaphoreSlim _turn = new(1);

    // With the request itself, which stays open.
    private readonly Dictionary<Digest, ProducerRun> _runs = new() { [request.Action] = new ProducerRun(request.Action, depth: 0) };

    private int _lost;

    /// <summary>Whether this farm has made any of them: if not, they were never here, and nothing is to be said about it.</summary>
    public bool KnowsAny(IReadOnlyList<Digest> lost)
    {
        foreach (var output in lost.Take(LostMax))
        {
            if (IsKnown(output)) return true;
        }

        return false;
    }

    /// <summary>
    /// What to run for these, each with what it needs in turn. Of the request's own inputs those that nobody here has made are left to its
    /// client, who may well have them, but not the others.
    /// </summary>
    /// <param name="waiter">Whose inputs they are; null for those of the request itself.</param>
    /// <exception cref="RederivationFailure">Some of them cannot be made.</exception>
    public async ValueTask<IReadOnlyList<ProducerRun>> FindAsync(IReadOnlyList<Digest> lost, ProducerRun? waiter, CancellationToken cancellationToken)
    {
        // Producers that run at the same time may find more missing at the same time.
        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (waiter is null) return await ResolveAllAsync(KnownOf(lost), depth: 1, cancellationToken);

            // So that it is not taken for what makes its own inputs.
            waiter.IsOpen = true;
            var runs = await ResolveAllAsync(lost, waiter.Depth + 1, cancellationToken);
            waiter.Await(runs);
            return runs;
        }
        finally
        {
            if (waiter is not null) waiter.IsOpen = false;
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();

    private bool IsKnown(Digest output) => producers.Find(request.Instance, output) is not null;

    private Digest[] KnownOf(IReadOnlyList<Digest> lost)
    {
        if (lost.Count > LostMax) throw TooMany();
        Digest[] known = [.. lost.Where(IsKnown)];
        return known.Length > 0 ? known : throw RederivationFailure.Refused($"it is not known what made {lost[0]}");
    }

    private static RederivationFailure TooMany() => RederivationFailure.Refused($"more than {LostMax} blobs are lost");

    private async ValueTask<IReadOnlyList<ProducerRun>> ResolveAllAsync(IReadOnlyList<Digest> lost, int depth, CancellationToken cancellationToken)
    {
        if ((_lost += lost.Count) > LostMax) throw TooMany();

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
        if (ProducerOf(lost) is not { } action) throw RederivationFailure.Refused($"it is not known what made {lost}");
        if (_runs.TryGetValue(action, out var known)) return await JoinAsync(known, lost, depth, cancellationToken);
        if (depth > options.DepthMax) throw RederivationFailure.TooDeep(options.DepthMax);
        if (_runs.Count > options.ActionsMax) throw RederivationFailure.Refused($"more than {options.ActionsMax} actions would have to run (--rederive-actions)");

        var run = new ProducerRun(action, depth);
        run.Want(lost);
        _runs.Add(action, run);
        try
        {
            var missing = await MissingOfAsync(action, lost, cancellationToken);
            // What is open cannot be joined, so none of these waits for this one.
            if (missing.Count > 0) run.Need(await ResolveAllAsync(missing, depth + 1, cancellationToken));
            run.IsOpen = false;
            return run;
        }
        catch
        {
            // This search may be used once more, when somebody has brought what was in the way.
            _runs.Remove(action);
            throw;
        }
    }

    /// <summary>Whoever has made it last knows best what it takes today, unless it only copies: then the first.</summary>
    private Digest? ProducerOf(Digest lost)
    {
        var last = producers.Find(request.Instance, lost);
        bool isOpen = last is { } action && _runs.TryGetValue(action, out var run) && run.IsOpen;
        return isOpen ? producers.FindFirst(request.Instance, lost) ?? last : last;
    }

    private async ValueTask<ProducerRun?> JoinAsync(ProducerRun run, Digest lost, int depth, CancellationToken cancellationToken)
    {
        if (run.IsOpen) throw RederivationFailure.Refused($"action {run.Action} would need what it makes");
        bool isNew = run.Want(lost);
        if (!run.IsOver)
        {
            run.Deepen(depth, options.DepthMax);
            return run;
        }

        // Whoever found it missing may have looked before the run was over.
        if ((await store.FindMissingAsync([lost], cancellationToken)).Count == 0) return null;
        if (!isNew) throw RederivationFailure.Refused($"{lost} was made again, and is gone again");

        producers.Forget(request.Instance, lost);
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
            throw RederivationFailure.Refused($"the action that made {lost} cannot be run: {refused.Status.Detail}", RederivationFailure.IsPassing((OutcomeCode)refused.StatusCode));
        }
    }
}
