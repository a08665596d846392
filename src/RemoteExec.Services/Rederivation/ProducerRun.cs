namespace RemoteExec.Services;

/// <summary>An action that runs again for a request, once.</summary>
/// <param name="depth">1 for what makes the request's own inputs.</param>
internal sealed class ProducerRun(Digest action, int depth)
{
    private readonly Lock _gate = new();
    private readonly HashSet<Digest> _wanted = [];
    private readonly List<ProducerRun> _needs = [];
    private Task? _running;

    public Digest Action => action;

    /// <summary>How many have to run one after the other to get here, on the longest way that is known.</summary>
    public int Depth { get; private set; } = depth;

    /// <summary>What has to run before it, as far as that is known; more may come to light below directories that are made again.</summary>
    public IReadOnlyList<ProducerRun> Needs => _needs;

    /// <summary>It is being looked at: what needs it in turn would need itself.</summary>
    public bool IsOpen { get; set; } = true;

    public bool IsOver => _running is { IsCompletedSuccessfully: true };

    /// <summary>Its outputs that are lost.</summary>
    public IReadOnlyList<Digest> Wanted
    {
        get { lock (_gate) return [.. _wanted]; }
    }

    /// <summary>It waits for these, which are known not to wait for it. A search's business, as all that follows it through other runs.</summary>
    public void Need(IReadOnlyList<ProducerRun> others) => _needs.AddRange(others);

    /// <summary>It waits for these from now on.</summary>
    /// <exception cref="RederivationFailure">One of them waits for this one, and both would for ever: an action may make what it reads.</exception>
    public void Await(IReadOnlyList<ProducerRun> others)
    {
        // Each run once, however many ways lead to it.
        var seen = others.ToHashSet();
        var next = new Stack<ProducerRun>(seen);
        while (next.TryPop(out var run))
        {
            if (run == this) throw RederivationFailure.Refused($"action {action} would need what it makes");
            foreach (var need in run._needs.Where(seen.Add)) next.Push(need);
        }

        Need(others);
    }

    /// <summary>There is a way of this length to it, too. Each run is met as often as it gets deeper.</summary>
    /// <exception cref="RederivationFailure">Something is too deep now.</exception>
    public void Deepen(int depth, int depthMax)
    {
        if (depth <= Depth) return;
        if (depth > depthMax) throw RederivationFailure.TooDeep(depthMax);
        Depth = depth;
        foreach (var need in _needs) need.Deepen(depth + 1, depthMax);
    }

    /// <summary>False when it was wanted before.</summary>
    public bool Want(Digest output)
    {
        lock (_gate) return _wanted.Add(output);
    }

    /// <summary>Whoever comes first starts it, and all wait for the same run; one that came to no end may be started again.</summary>
    public Task RunOnce(Func<ProducerRun, Task> run)
    {
        lock (_gate) return _running = _running is null or { IsCanceled: true } ? Task.Run(() => run(this)) : _running;
    }
}
