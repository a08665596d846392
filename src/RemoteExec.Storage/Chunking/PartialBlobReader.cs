namespace RemoteExec.Storage;

/// <summary>Reads so many bytes of a blob and no more, as if they were one.</summary>
internal sealed class PartialBlobReader(IBlobReader inner, long bytes) : IBlobReader
{
    public long RemainingBytes { get; private set; } = bytes;

    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        int read = await inner.ReadAsync(buffer[..(int)Math.Min(buffer.Length, RemainingBytes)], cancellationToken);
        RemainingBytes -= read;
        return read;
    }

    public ValueTask DisposeAsync() => inner.DisposeAsync();
}
