using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>Reads a blob's chunks one after the other. They were promised when it was opened, and each again when its turn comes.</summary>
internal sealed class ChunkedBlobReader : IBlobReader
{
    private readonly IBlobStore _store;
    private readonly Digest _blob;
    private readonly IReadOnlyList<Digest> _chunks;
    private int _next;
    private long _offset; // within the next chunk
    private IBlobReader? _chunk;

    public ChunkedBlobReader(IBlobStore store, Digest blob, IReadOnlyList<Digest> chunks, long offset)
    {
        (_store, _blob, _chunks) = (store, blob, chunks);
        RemainingBytes = blob.SizeBytes - offset;
        for (_offset = offset; _next < chunks.Count && _offset >= chunks[_next].SizeBytes; _next++) _offset -= chunks[_next].SizeBytes;
    }

    public long RemainingBytes { get; private set; }

    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (RemainingBytes == 0 || buffer.IsEmpty) return 0;

        while (true)
        {
            _chunk ??= await OpenNextAsync(cancellationToken);
            int read = await _chunk.ReadAsync(buffer, cancellationToken);
            RemainingBytes -= read;
            if (read > 0) return read;

            await _chunk.DisposeAsync();
            _chunk = null;
        }
    }

    public ValueTask DisposeAsync() => _chunk?.DisposeAsync() ?? ValueTask.CompletedTask;

    private async ValueTask<IBlobReader> OpenNextAsync(CancellationToken cancellationToken)
    {
        // Retriable, as when a file is cut short: the next look finds the blob missing, and its client uploads it again.
        var reader = _next == _chunks.Count ? null : await _store.OpenReadAsync(_chunks[_next], _offset, cancellationToken);
        if (reader is null) throw StorageErrors.Create(StatusCode.Unavailable, $"a chunk of {_blob} was lost; it counts as missing from now on");

        _next++;
        _offset = 0;
        return reader;
    }
}
