using System.Threading.Channels;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker.Tests;

/// <summary>Keeps what a lease reports, and lets a test wait for the next piece of output.</summary>
internal sealed class CollectedReports : ILeaseReporter
{
    private readonly Channel<LeaseOutput> _outputs = Channel.CreateUnbounded<LeaseOutput>();

    /// <summary>What came and was not taken by <see cref="NextAsync"/>.</summary>
    public IReadOnlyList<LeaseOutput> Rest()
    {
        var rest = new List<LeaseOutput>();
        while (_outputs.Reader.TryRead(out var output)) rest.Add(output);
        return rest;
    }

    public ValueTask<LeaseOutput> NextAsync() => _outputs.Reader.ReadAsync();

    public ValueTask StartedAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public ValueTask OutputAsync(LeaseOutput output, CancellationToken cancellationToken) => _outputs.Writer.WriteAsync(output, cancellationToken);
}
