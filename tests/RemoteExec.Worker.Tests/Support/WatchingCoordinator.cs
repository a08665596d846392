using System.Threading.Channels;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker.Tests;

/// <summary>A coordinator to which output is shown: keeps the pieces, and lets a test wait for the next one or be in the way.</summary>
internal sealed class WatchingCoordinator : IWorkerConnection
{
    private readonly Channel<LeaseOutput> _pieces = Channel.CreateUnbounded<LeaseOutput>();

    /// <summary>Called with each piece before it is taken.</summary>
    public Func<LeaseOutput, CancellationToken, Task> Before { get; set; } = (_, _) => Task.CompletedTask;

    /// <summary>What came and was not taken by <see cref="NextAsync"/>.</summary>
    public IReadOnlyList<LeaseOutput> Rest()
    {
        var rest = new List<LeaseOutput>();
        while (_pieces.Reader.TryRead(out var piece)) rest.Add(piece);
        return rest;
    }

    public ValueTask<LeaseOutput> NextAsync() => _pieces.Reader.ReadAsync();

    public async ValueTask ShowAsync(LeaseOutput piece, CancellationToken cancellationToken)
    {
        await Before(piece, cancellationToken);
        _pieces.Writer.TryWrite(piece);
    }

    public ValueTask SendAsync(WorkerMessage message, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public ValueTask<CoordinatorMessage?> ReceiveAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<ReportResponse> ReportAsync(ReportRequest report, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
