using Google.Bytestream;
using Grpc.Core;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>One ByteStream.Read, message by message.</summary>
internal sealed class CoordinatorBlobReader(AsyncServerStreamingCall<ReadResponse> call, long remainingBytes) : IBlobReader
{
    private ReadOnlyMemory<byte> _piece;

    public long RemainingBytes { get; private set; } = remainingBytes;

    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_piece.IsEmpty) await FillAsync(cancellationToken);
        int count = Math.Min(buffer.Length, _piece.Length);
        _piece[..count].CopyTo(buffer);
        _piece = _piece[count..];
        RemainingBytes -= count;
        return count;
    }

    /// <summary>Waits for bytes, or for the end.</summary>
    internal async ValueTask FillAsync(CancellationToken cancellationToken)
    {
        while (_piece.IsEmpty && await call.ResponseStream.MoveNext(cancellationToken))
            _piece = call.ResponseStream.Current.Data.Memory;
    }

    public ValueTask DisposeAsync()
    {
        call.Dispose();
        return ValueTask.CompletedTask;
    }
}
