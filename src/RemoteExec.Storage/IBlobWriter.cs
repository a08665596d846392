namespace RemoteExec.Storage;

/// <summary>One upload. Disposing it without a commit leaves nothing behind.</summary>
public interface IBlobWriter : IAsyncDisposable
{
    /// <summary>Bytes taken so far; any thread may ask.</summary>
    long WrittenBytes { get; }

    /// <summary>
    /// The blob is in the store, by this writer or another: stop early with success (REAPI, ByteStream.Write).
    /// May turn true between two appends; appending and committing stay harmless afterwards.
    /// </summary>
    bool AlreadyPresent { get; }

    /// <summary>Takes the next bytes; the memory is the caller's again when this returns.</summary>
    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT at the first byte too many.</exception>
    ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken);

    /// <summary>Makes the blob durable and visible, if it is what its digest says.</summary>
    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT when size or hash differ; nothing was stored.</exception>
    ValueTask CommitAsync(CancellationToken cancellationToken);
}
