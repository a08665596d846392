using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>
/// A writer whose way may break and mend. It keeps no copy of what it sent: whoever has the source goes on at
/// <see cref="IBlobWriter.WrittenBytes"/> (<see cref="BlobTransfers.WriteFromAsync"/>).
/// </summary>
public interface IResumableBlobWriter : IBlobWriter
{
    /// <summary>After an append or a commit was cut off: finds out how much has arrived, which may be less than was taken.</summary>
    /// <exception cref="RpcException">The other side has been away for too long.</exception>
    ValueTask ResumeAsync(RpcException cut, CancellationToken cancellationToken);
}
