namespace RemoteExec.Observability;

/// <summary>
/// Whether this server wants work: what <c>/readyz</c>, gRPC health and the page say.
/// <code>starting -> ready -> draining</code>
/// </summary>
public sealed class ServerHealth(TimeProvider time)
{
    private volatile ServerPhase _phase = ServerPhase.Starting;

    public DateTimeOffset StartedAt { get; } = time.GetUtcNow();

    public ServerPhase Phase => _phase;

    public bool IsReady => _phase == ServerPhase.Ready;

    public void Ready() => _phase = ServerPhase.Ready;

    public void Draining() => _phase = ServerPhase.Draining;
}
