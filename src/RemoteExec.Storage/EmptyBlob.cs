namespace RemoteExec.Storage;

/// <summary>The blob that always exists and is never stored (REAPI D2).</summary>
internal sealed class EmptyBlob : IBlobReader, IBlobWriter
{
    public static EmptyBlob Instance { get; } = new();

    public long RemainingBytes => 0;

    public long WrittenBytes => 0;

    public bool AlreadyPresent => true;

    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) => ValueTask.FromResult(0);

    public ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) => data.IsEmpty
        ? ValueTask.CompletedTask
        : throw StorageErrors.Create(Grpc.Core.StatusCode.InvalidArgument, "upload of the empty blob has bytes");

    public ValueTask CommitAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
