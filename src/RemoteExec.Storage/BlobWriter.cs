using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>
/// The door of every store: counts what comes and refuses the first byte too many (REAPI BW7), before it goes anywhere, and a
/// commit that lacks bytes. What becomes of the bytes is the business of those who derive.
/// </summary>
internal abstract class BlobWriter(Digest digest) : IBlobWriter
{
    private long _writtenBytes;
    private bool _isBroken;

    /// <summary>Another thread may ask while bytes are being taken.</summary>
    public long WrittenBytes => Volatile.Read(ref _writtenBytes);

    public abstract bool AlreadyPresent { get; }

    protected Digest Digest => digest;

    public ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (data.Length > digest.SizeBytes - WrittenBytes)
            throw StorageErrors.Create(StatusCode.InvalidArgument, $"upload of {digest} has more bytes than its digest says");
        CheckNotBroken();
        if (data.IsEmpty) return ValueTask.CompletedTask;

        // Until it is known to have gone well: what was taken in part must never become a blob with what comes later.
        _isBroken = true;
        var taking = AlreadyPresent ? ValueTask.CompletedTask : TakeAsync(data, cancellationToken);
        if (!taking.IsCompletedSuccessfully) return CountAsync(taking, data.Length);

        Restart(WrittenBytes + data.Length);
        return ValueTask.CompletedTask;
    }

    public ValueTask CommitAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (AlreadyPresent) return ValueTask.CompletedTask;

        CheckNotBroken();
        return WrittenBytes == digest.SizeBytes
            ? StoreAsync(cancellationToken)
            : throw StorageErrors.Create(
                StatusCode.InvalidArgument, $"upload of {digest} ended after {WrittenBytes} of {digest.SizeBytes} bytes");
    }

    public abstract ValueTask DisposeAsync();

    /// <summary>Takes bytes that follow <see cref="WrittenBytes"/>; they count once this returns. Never called when the blob is present.</summary>
    protected abstract ValueTask TakeAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken);

    /// <summary>Makes the blob durable and visible if it hashes to its digest; its size is right.</summary>
    protected abstract ValueTask StoreAsync(CancellationToken cancellationToken);

    /// <summary>So many bytes are safe, and the next append follows them.</summary>
    protected void Restart(long writtenBytes)
    {
        Volatile.Write(ref _writtenBytes, writtenBytes);
        _isBroken = false;
    }

    private async ValueTask CountAsync(ValueTask taking, int bytes)
    {
        await taking;
        Restart(WrittenBytes + bytes);
    }

    private void CheckNotBroken()
    {
        if (_isBroken) throw StorageErrors.Create(StatusCode.Unavailable, $"an earlier part of {digest} could not be written; begin the upload again");
    }
}
