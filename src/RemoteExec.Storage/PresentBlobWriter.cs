namespace RemoteExec.Storage;

/// <summary>Takes an upload of a blob that is there: its bytes are counted and dropped. The empty blob always is (REAPI D2).</summary>
internal sealed class PresentBlobWriter(Digest digest) : BlobWriter(digest)
{
    public override bool AlreadyPresent => true;

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

    protected override ValueTask TakeAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    protected override ValueTask StoreAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;
}
