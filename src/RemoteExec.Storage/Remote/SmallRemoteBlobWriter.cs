using Google.Protobuf;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Gathers a small blob and sends it in one call; checked here, so that a wrong one does not travel.</summary>
internal sealed class SmallRemoteBlobWriter(RemoteBlobStore store, Digest digest) : IBlobWriter
{
    private readonly DigestCheck _check = new(digest);
    private readonly byte[] _data = GC.AllocateUninitializedArray<byte>((int)digest.SizeBytes);

    public long WrittenBytes => _check.CountedBytes;

    public bool AlreadyPresent { get; private set; }

    public ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        int start = (int)_check.CountedBytes;
        _check.Count(data.Length);
        _check.Hash(data.Span);
        data.Span.CopyTo(_data.AsSpan(start));
        return ValueTask.CompletedTask;
    }

    public async ValueTask CommitAsync(CancellationToken cancellationToken)
    {
        if (AlreadyPresent) return;
        _check.Finish();
        await store.WriteSmallAsync(digest, UnsafeByteOperations.UnsafeWrap(_data), cancellationToken);
        AlreadyPresent = true;
    }

    public ValueTask DisposeAsync()
    {
        _check.Dispose();
        return ValueTask.CompletedTask;
    }
}
