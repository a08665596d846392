using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>Reads a blob's chunks in their order, while the next ones are on their way. When one is nowhere, the rest of the blob comes as a whole.</summary>
internal sealed class ChunkFetchingReader : IBlobReader
{
    private readonly ChunkFetchingBlobStore _store;
    private readonly Digest _blob;
    private readonly ChunkList _list;
    private readonly HashSet<Digest> _here;
    private readonly UnfinishedBlob _unfinished;
    private readonly CancellationTokenSource _over = new();
    private readonly Queue<(Digest Chunk, Task<ReadOnlyMemory<byte>?> Data)> _coming = new();
    private long _comingBytes;
    private int _next;
    private long _nextOffset;
    private int _skippedBytes; // of the first chunk
    private ReadOnlyMemory<byte> _piece;
    private IBlobReader? _rest;

    public ChunkFetchingReader(ChunkFetchingBlobStore store, Digest blob, ChunkList list, HashSet<Digest> here, long offset)
    {
        (_store, _blob, _list, _here) = (store, blob, list, here);
        RemainingBytes = blob.SizeBytes - offset;
        for (; _next < list.Chunks.Count && offset - _nextOffset >= list.Chunks[_next].SizeBytes; _next++) _nextOffset += list.Chunks[_next].SizeBytes;
        _skippedBytes = (int)(offset - _nextOffset);
        _unfinished = store.Unfinished.Join(blob);
    }

    public long RemainingBytes { get; private set; }

    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (RemainingBytes == 0 || buffer.IsEmpty) return 0;
        while (_rest is null && _piece.IsEmpty) await TakeNextAsync(cancellationToken);

        int read;
        if (_rest is not null) read = await _rest.ReadAsync(buffer, cancellationToken);
        else
        {
            read = Math.Min(buffer.Length, _piece.Length);
            _piece[..read].CopyTo(buffer);
            _piece = _piece[read..];
        }

        RemainingBytes -= read;
        if (RemainingBytes == 0) await _store.KeepAsync(_blob, _list);
        return read;
    }

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        await Task.WhenAll(_coming.Select(one => (Task)one.Data)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_rest is not null) await _rest.DisposeAsync();
        await _store.LeaveAsync(_unfinished);
        _over.Dispose();
    }

    private async ValueTask TakeNextAsync(CancellationToken cancellationToken)
    {
        // The first in any case, however large; the others while they are within bounds.
        while (_next < _list.Chunks.Count && (_coming.Count == 0 || _comingBytes + _list.Chunks[_next].SizeBytes <= _store.Options.AheadBytes))
        {
            var chunk = _list.Chunks[_next++];
            _comingBytes += chunk.SizeBytes;
            _coming.Enqueue((chunk, _store.GetAsync(_unfinished, _nextOffset, chunk, _here.Contains(chunk), _over.Token)));
            _nextOffset += chunk.SizeBytes;
        }

        var (first, coming) = _coming.Peek();
        var data = await coming.WaitAsync(cancellationToken);
        _coming.Dequeue();
        _comingBytes -= first.SizeBytes;
        if (data is { } bytes)
        {
            _piece = bytes[_skippedBytes..];
            _skippedBytes = 0;
            return;
        }

        _rest = await _store.Remote.OpenReadAsync(_blob, _blob.SizeBytes - RemainingBytes, cancellationToken)
            ?? throw StorageErrors.Create(StatusCode.Unavailable, $"blob {_blob} vanished from the server while its chunks were fetched");
    }
}
