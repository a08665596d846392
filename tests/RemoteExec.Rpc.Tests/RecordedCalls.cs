using System.Threading.Channels;

namespace RemoteExec.Rpc.Tests;

/// <summary>Keeps what an observer is told, in order.</summary>
internal sealed class RecordedCalls : IRpcObserver
{
    private readonly Channel<RpcCallReport> _finished = Channel.CreateUnbounded<RpcCallReport>();
    private readonly Lock _gate = new();
    private readonly List<string> _running = [];

    public IReadOnlyList<string> Running
    {
        get { lock (_gate) return [.. _running]; }
    }

    public void CallStarted(string method)
    {
        lock (_gate) _running.Add(method);
    }

    public void CallFinished(in RpcCallReport report)
    {
        lock (_gate) Assert.That(_running.Remove(report.Method), $"{report.Method} ends once, after it has started");
        _finished.Writer.TryWrite(report);
    }

    /// <summary>The next report that was not looked at yet.</summary>
    public Task<RpcCallReport> NextAsync() => _finished.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(60));

    /// <summary>Nothing else was reported, and nothing runs.</summary>
    public void AssertNoMore()
    {
        Assert.That(_finished.Reader.TryRead(out var more), Is.False, $"{more}");
        Assert.That(Running, Is.Empty);
    }
}
