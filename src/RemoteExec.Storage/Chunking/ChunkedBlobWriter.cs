namespace RemoteExec.Storage;

/// <summary>
/// An upload that is cut as it comes: its chunks are stored once, whichever blobs they are parts of, and at the end the list of them is kept.
/// </summary>
/// <remarks>
/// Chunks are stored, and promised, before the hash of the whole is known: an upload that turns out to be another blob, or breaks off, leaves
/// them as blobs of their own, which are what their own names say.
/// </remarks>
/// <param name="room">Holds what is set aside for the upload, and takes no bytes.</param>
/// <param name="places">One of them is held until the end.</param>
internal sealed class ChunkedBlobWriter(
    ChunkedBlobStore store, Digest digest, ChunkingAlgorithm algorithm, IChunker chunker, IBlobWriter room, SemaphoreSlim places) : BlobWriter(digest)
{
    // What one upload holds in memory, beside one window of the chunker.
    private const int GatherBytes = 2 << 20;

    private readonly BlobCutter _cutter = new(chunker, digest.Function, digest.SizeBytes, GatherBytes);
    private readonly DigestCheck _check = new(digest);
    private int _hashed; // at the start of what the cutter holds
    private bool _isPresent;
    private bool _isDisposed;

    public override bool AlreadyPresent => _isPresent;

    public override async ValueTask DisposeAsync()
    {
        if (_isDisposed) return;
        _isDisposed = true;

        _check.Dispose();
        _cutter.Dispose();
        places.Release();
        await room.DisposeAsync();
    }

    protected override async ValueTask TakeAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        // Somebody else may have stored the blob meanwhile: then neither the client nor the disk need to go on.
        _isPresent = WrittenBytes > 0 && await store.IsHereAsync(Digest, cancellationToken);
        if (_isPresent) return;

        while (!data.IsEmpty)
        {
            int bytes = Math.Min(_cutter.Free.Length, data.Length);
            data[..bytes].CopyTo(_cutter.Free);
            _cutter.Filled(bytes);
            data = data[bytes..];
            if (_cutter.Free.IsEmpty) await CutAsync(isLast: false, cancellationToken);
        }
    }

    protected override async ValueTask StoreAsync(CancellationToken cancellationToken)
    {
        if (!_cutter.Held.IsEmpty) await CutAsync(isLast: true, cancellationToken);
        _check.Finish();
        // A blob that is a single chunk is here by now.
        if (_cutter.Chunks.Count > 1) await store.KeepAsync(Digest, new ChunkList(algorithm, _cutter.Chunks));
        _isPresent = true;
    }

    private async ValueTask CutAsync(bool isLast, CancellationToken cancellationToken)
    {
        // Two cores for two jobs on the same bytes; both end before these move.
        var unhashed = _cutter.Held[_hashed..];
        var hashing = Task.Run(() => _check.Hash(unhashed.Span), CancellationToken.None);
        List<(Digest Digest, ReadOnlyMemory<byte> Data)> chunks;
        try
        {
            chunks = _cutter.Cut(isLast);
        }
        finally
        {
            await hashing;
        }

        await store.StoreChunksAsync(chunks, cancellationToken);
        _cutter.Drop();
        _hashed = _cutter.Held.Length;
    }
}
