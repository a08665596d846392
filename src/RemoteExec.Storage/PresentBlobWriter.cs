using Grpc.Core;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Takes an upload of a blob that is there: its bytes are counted and dropped.</summary>
internal sealed class PresentBlobWriter(Digest digest) : IBlobWriter
{
    public long WrittenBytes { get; private set; }

    public bool AlreadyPresent => true;

    public ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        if (data.Length > digest.SizeBytes - WrittenBytes)
            throw StorageErrors.Create(StatusCode.InvalidArgument, $"upload of {digest} has more bytes than its digest says");
        WrittenBytes += data.Length;
        return ValueTask.CompletedTask;
    }

    public ValueTask CommitAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
