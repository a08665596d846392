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

    public int Depth => depth;

    /// <summary>What has to run before it, as far as that is known; more may come to light below directories that are made again.</summary>
    public IReadOnlyList<ProducerRun> Needs => _needs;

    /// <summary>It is being looked at: what needs it in turn would need itself.</summary>
    public bool IsOpen { get; set; } = true;

    public bool IsOver => _running is { IsCompleted: true };

    /// <summary>Its outputs that are lost.</summary>
    public IReadOnlyList<Digest> Wanted
    {
        get { lock (_gate) return [.. _wanted]; }
    }

    /// <summary>It waits for these from now on. A search's business.</summary>
    /// <exception cref="RederivationFailure">One of them waits for this one, and both would for ever: an action may make what it reads.</exception>
    public void Await(IReadOnlyList<ProducerRun> others)
    {
        if (others.Any(other => other.Reaches(this))) throw RederivationFailure.Refused($"action {action} would need what it makes");
        _needs.AddRange(others);
    }

    /// <summary>False when it was wanted before.</summary>
    public bool Want(Digest output)
    {
        lock (_gate) return _wanted.Add(output);
    }

    private bool Reaches(ProducerRun other) => this == other || _needs.Exists(need => need.Reaches(other));

    /// <summary>Whoever comes first starts it, and all wait for the same run.</summary>
    public Task RunOnce(Func<ProducerRun, Task> run)
    {
        lock (_gate) return _running ??= Task.Run(() => run(this));
    }
}
