namespace RemoteExec.Observability;

/// <summary>
/// Whether this server wants work: what <c>/readyz</c>, gRPC health and the page say.
/// <code>starting -> ready -> draining</code>
/// </summary>
public sealed class ServerHealth(TimeProvider time)
{
    private volatile ServerPhase _phase = ServerPhase.Starting;
    private volatile Func<string?> _fault = () => null;

    /// <summary>What is dangerous about this server's settings, a sentence each. It is ready all the same: <c>/readyz</c> says so.</summary>
    public IReadOnlyList<string> Warnings { get; set; } = [];

    public DateTimeOffset StartedAt { get; } = time.GetUtcNow();

    public ServerPhase Phase => _phase;

    /// <summary>Why it refuses all work although it runs; null while all is well.</summary>
    public string? Fault => _fault();

    public bool IsReady => _phase == ServerPhase.Ready && Fault is null;

    /// <summary>What <c>/readyz</c> says, a line each: that it is ready and what is dangerous about that, or why it is not.</summary>
    public IEnumerable<string> Detail => IsReady
        ? ["ready", .. Warnings.Select(warning => $"warning: {warning}")]
        : [Fault ?? Phase.ToString().ToLowerInvariant()];

    /// <param name="fault">Asked whenever somebody looks: what fails later, a journal on a full disk, ends readiness.</param>
    public void Ready(Func<string?> fault)
    {
        _fault = fault;
        _phase = ServerPhase.Ready;
    }

    public void Draining() => _phase = ServerPhase.Draining;
}
