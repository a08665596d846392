using RemoteExec.Storage;

namespace RemoteExec.Client;

/// <summary>Content of this machine, read as a store's blobs are.</summary>
internal sealed class LocalBlobReader(Stream content, Action<long>? moved) : IBlobReader
{
    public long RemainingBytes => content.Length - content.Position;

    public static LocalBlobReader Open(LocalBlob blob, long offset, Action<long>? moved)
    {
        var content = blob.Open();
        content.Position = offset;
        return new LocalBlobReader(content, moved);
    }

    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        int read = await content.ReadAsync(buffer, cancellationToken);
        moved?.Invoke(read);
        return read;
    }

    public ValueTask DisposeAsync() => content.DisposeAsync();
}
