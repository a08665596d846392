namespace RemoteExec.Storage;

internal sealed class MemoryBlobReader(ReadOnlyMemory<byte> data) : ISynchronousBlobReader
{
    private ReadOnlyMemory<byte> _rest = data;

    public long RemainingBytes => _rest.Length;

    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult(Read(buffer.Span));
    }

    public int Read(Span<byte> buffer)
    {
        int count = Math.Min(buffer.Length, _rest.Length);
        _rest.Span[..count].CopyTo(buffer);
        _rest = _rest[count..];
        return count;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
