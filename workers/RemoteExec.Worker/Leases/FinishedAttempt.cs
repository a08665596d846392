using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>
/// A report, and what the attempt left on disk. Disposing cleans that up, for when the report is on its way: a client
/// waits for the one and nobody for the other. Without a report it was stopped.
/// </summary>
internal readonly record struct FinishedAttempt(ReportRequest? Report, IAsyncDisposable? Remains) : IAsyncDisposable
{
    public ValueTask DisposeAsync() => Remains?.DisposeAsync() ?? ValueTask.CompletedTask;
}
