using RemoteExec.Storage;

namespace RemoteExec.Client;

/// <summary>Content of this machine, read as a store's blobs are.</summary>
internal sealed class LocalBlobReader(Stream content) : IBlobReader
{
    public long RemainingBytes => content.Length - content.Position;

    public static LocalBlobReader Open(LocalBlob blob, long offset)
    {
        var content = blob.Open();
        content.Position = offset;
        return new LocalBlobReader(content);
    }

    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) => content.ReadAsync(buffer, cancellationToken);

    public ValueTask DisposeAsync() => content.DisposeAsync();
}
