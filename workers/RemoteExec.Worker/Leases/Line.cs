using System.Threading.Channels;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>
/// A connection that has been welcomed. What is said on its Join stream waits in line here and never holds up who says it; a
/// coordinator that does not take it in time is as good as gone.
/// </summary>
internal sealed class Line(IWorkerConnection connection, Limits limits, TimeProvider time)
{
    // Three heartbeats and some: who reads nothing for so long has declared us lost, or will have to.
    private static readonly TimeSpan SendMax = TimeSpan.FromSeconds(10);

    // Starts, stops and returns of every lease that may be held, and heartbeats between them.
    private readonly Channel<WorkerMessage> _outgoing =
        Channel.CreateBounded<WorkerMessage>(new BoundedChannelOptions(3 * limits.SlotsMax) { SingleReader = true });

    public Limits Limits { get; } = limits;

    /// <summary>Lost with the connection; the next hello says the same.</summary>
    public void Say(WorkerMessage message) => _outgoing.Writer.TryWrite(message);

    public ValueTask<ReportResponse> ReportAsync(ReportRequest report, CancellationToken cancellationToken) =>
        connection.ReportAsync(report, cancellationToken);

    public ValueTask ShowAsync(LeaseOutput piece, CancellationToken cancellationToken) => connection.ShowAsync(piece, cancellationToken);

    /// <summary>Sends until <paramref name="over"/>, or until the stream takes nothing more.</summary>
    public async Task SendAsync(CancellationToken over)
    {
        await foreach (var message in _outgoing.Reader.ReadAllAsync(over))
        {
            using var late = new CancellationTokenSource(SendMax, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, over);
            await connection.SendAsync(message, either.Token);
        }
    }
}
