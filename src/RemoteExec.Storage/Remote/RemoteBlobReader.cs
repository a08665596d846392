using Google.Bytestream;
using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>One blob read by ByteStream.Read, taken up again where the connection broke.</summary>
internal sealed class RemoteBlobReader(RemoteBlobStore store, Digest digest, long offset) : IBlobReader
{
    private readonly CancellationTokenSource _over = new();
    private readonly Outage _outage = new(store.Options);
    private AsyncServerStreamingCall<ReadResponse>? _call;
    private ReadOnlyMemory<byte> _piece;
    private long _offset = offset;

    public long RemainingBytes => digest.SizeBytes - _offset;

    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (RemainingBytes == 0 || buffer.IsEmpty) return 0;
        if (_piece.IsEmpty && !await TryFillAsync(cancellationToken))
            throw StorageErrors.Create(StatusCode.Unavailable, $"blob {digest} vanished from the server after {_offset} bytes");

        int count = Math.Min(buffer.Length, _piece.Length);
        _piece[..count].CopyTo(buffer);
        _piece = _piece[count..];
        _offset += count;
        return count;
    }

    public ValueTask DisposeAsync()
    {
        _over.Cancel();
        _call?.Dispose();
        _over.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>False is a miss.</summary>
    internal ValueTask<bool> TryOpenAsync(CancellationToken cancellationToken) =>
        RemainingBytes == 0 ? ValueTask.FromResult(true) : TryFillAsync(cancellationToken);

    private async ValueTask<bool> TryFillAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                _call ??= store.Read(digest, _offset, _over.Token);
                while (await _call.ResponseStream.MoveNext(cancellationToken))
                {
                    _piece = _call.ResponseStream.Current.Data.Memory;
                    if (_piece.IsEmpty) continue;
                    if (_piece.Length > RemainingBytes)
                        throw StorageErrors.Create(StatusCode.Unavailable, $"the server sent more bytes than blob {digest} has");

                    _outage.Over();
                    return true;
                }

                throw StorageErrors.Create(StatusCode.Unavailable, $"the server ended blob {digest} after {_offset} bytes");
            }
            catch (RpcException absent) when (absent.StatusCode == StatusCode.NotFound)
            {
                return false;
            }
            catch (RpcException broken) when (_outage.MayGoOn(broken))
            {
                _piece = default;
                _call?.Dispose();
                _call = null;
            }

            await _outage.PauseAsync(cancellationToken);
        }
    }
}
