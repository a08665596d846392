namespace RemoteExec.Services;

/// <summary>
/// The reads that are under way. Each has a file open for as long as its client takes to take it, and a client may have as many as its
/// connection has streams. Who finds no place waits, by the rules of <see cref="AnswerBudget"/>: in turn, and at most a quarter for one connection.
/// </summary>
internal sealed class OpenReads(int max, TimeProvider clock)
{
    // Any size that is not small: what is counted are files.
    private const long PlaceBytes = 1 << 20;

    private readonly AnswerBudget _places = new(max * PlaceBytes, clock);

    /// <returns>To be disposed when the file is closed.</returns>
    /// <exception cref="Grpc.Core.RpcException">RESOURCE_EXHAUSTED with RetryInfo: no place became free in time.</exception>
    public ValueTask<IDisposable?> EnterAsync(string connection, CancellationToken cancellationToken) => _places.TakeAsync(connection, PlaceBytes, cancellationToken);
}
