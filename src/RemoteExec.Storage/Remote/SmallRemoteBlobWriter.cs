using Google.Protobuf;

namespace RemoteExec.Storage;

/// <summary>Gathers a small blob and sends it in a batch; checked here, so that a wrong one does not travel.</summary>
internal sealed class SmallRemoteBlobWriter(RemoteBlobStore store, Digest digest) : BlobWriter(digest)
{
    private readonly DigestCheck _check = new(digest);
    private readonly byte[] _data = GC.AllocateUninitializedArray<byte>((int)digest.SizeBytes);
    private bool _isStored;

    public override bool AlreadyPresent => _isStored;

    public override ValueTask DisposeAsync()
    {
        _check.Dispose();
        return ValueTask.CompletedTask;
    }

    protected override ValueTask TakeAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        _check.Hash(data.Span);
        data.Span.CopyTo(_data.AsSpan((int)WrittenBytes));
        return ValueTask.CompletedTask;
    }

    protected override async ValueTask StoreAsync(CancellationToken cancellationToken)
    {
        _check.Finish();
        await store.WriteSmallAsync(Digest, UnsafeByteOperations.UnsafeWrap(_data), cancellationToken);
        _isStored = true;
    }
}
