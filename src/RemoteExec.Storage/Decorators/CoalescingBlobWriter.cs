using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>Writes when it is this writer's turn, which may be never.</summary>
internal sealed class CoalescingBlobWriter(
    CoalescingBlobStore store, WriteFlight flight, IBlobStore inner, IBlobWriter? first, TimeSpan stallMax) : IBlobWriter
{
    private IBlobWriter? _inner = first;
    private bool _isLeading = first is not null;
    private bool _isDisposed;

    public long WrittenBytes { get; private set; }

    public bool AlreadyPresent => flight.IsCommitted || _inner is { AlreadyPresent: true };

    public async ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        if (data.Length > flight.Digest.SizeBytes - WrittenBytes)
            throw StorageErrors.Create(StatusCode.InvalidArgument, $"upload of {flight.Digest} has more bytes than its digest says");

        if (await TakeTurnAsync(cancellationToken) is { } writer)
        {
            await writer.AppendAsync(data, cancellationToken);
            flight.Progress();
        }

        WrittenBytes += data.Length;
    }

    public async ValueTask CommitAsync(CancellationToken cancellationToken)
    {
        if (await TakeTurnAsync(cancellationToken) is not { } writer) return;

        await writer.CommitAsync(cancellationToken);
        flight.Commit();
    }

    public async ValueTask DisposeAsync()
    {
        if (_isDisposed) return;
        _isDisposed = true;

        if (_inner is not null) await _inner.DisposeAsync();
        if (_isLeading && !flight.IsCommitted) flight.Fail();
        store.Leave(flight);
    }

    /// <summary>The writer to use, or null when the blob is there.</summary>
    private async ValueTask<IBlobWriter?> TakeTurnAsync(CancellationToken cancellationToken)
    {
        if (flight.IsCommitted) return null;
        if (_inner is not null) return _inner;
        if (!await flight.WaitForTurnAsync(stallMax, cancellationToken)) return null;

        _isLeading = true;
        _inner = await inner.CreateWriterAsync(flight.Digest, cancellationToken);
        return _inner;
    }
}
