namespace RemoteExec.Storage;

internal sealed class MemoryBlobReader(ReadOnlyMemory<byte> data) : IBlobReader
{
    private ReadOnlyMemory<byte> _rest = data;

    public long RemainingBytes => _rest.Length;

    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        int count = Math.Min(buffer.Length, _rest.Length);
        _rest[..count].CopyTo(buffer);
        _rest = _rest[count..];
        return ValueTask.FromResult(count);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
