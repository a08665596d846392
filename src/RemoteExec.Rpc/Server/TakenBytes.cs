using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;

namespace RemoteExec.Rpc;

/// <summary>
/// How much a connection has taken. Kestrel writes a frame when the client's window and the socket have room for it, so what is written
/// here tells a client that is slow from one that takes nothing; a flush of a large answer tells neither before its end.
/// </summary>
internal sealed class TakenBytes(PipeWriter inner) : PipeWriter
{
    private long _count;

    public long Count => Volatile.Read(ref _count);

    public override bool CanGetUnflushedBytes => inner.CanGetUnflushedBytes;

    public override long UnflushedBytes => inner.UnflushedBytes;

    public static ConnectionDelegate Wrap(ConnectionDelegate next) => connection =>
    {
        var taken = new TakenBytes(connection.Transport.Output);
        connection.Transport = new Duplex(connection.Transport.Input, taken);
        RpcConnection.Of(connection).Taken = taken;
        return next(connection);
    };

    public override Memory<byte> GetMemory(int sizeHint = 0) => inner.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => inner.GetSpan(sizeHint);

    public override void Advance(int bytes)
    {
        Add(bytes);
        inner.Advance(bytes);
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => inner.FlushAsync(cancellationToken);

    public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
    {
        Add(source.Length);
        return inner.WriteAsync(source, cancellationToken);
    }

    public override void CancelPendingFlush() => inner.CancelPendingFlush();

    public override void Complete(Exception? exception = null) => inner.Complete(exception);

    public override ValueTask CompleteAsync(Exception? exception = null) => inner.CompleteAsync(exception);

    // One writes at a time: Kestrel's frames are under a lock.
    private void Add(int bytes) => Volatile.Write(ref _count, _count + bytes);

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
