namespace RemoteExec.Storage;

/// <summary>Writes here, and has what was committed brought behind.</summary>
internal sealed class TieredBlobWriter(Digest digest, IBlobWriter inner, WriteBehind behind) : IBlobWriter
{
    public long WrittenBytes => inner.WrittenBytes;

    public bool AlreadyPresent => inner.AlreadyPresent;

    public ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) => inner.AppendAsync(data, cancellationToken);

    public async ValueTask CommitAsync(CancellationToken cancellationToken)
    {
        // Whoever stored it has seen to that.
        if (inner.AlreadyPresent) return;

        behind.Announce(digest);
        await behind.FlushAsync();
        try
        {
            await inner.CommitAsync(cancellationToken);
        }
        catch
        {
            behind.Abandon(digest);
            throw;
        }

        behind.Stored(digest);
    }

    public ValueTask DisposeAsync() => inner.DisposeAsync();
}
