using System.Buffers;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>One Write call's part of an upload: counts offsets, takes data, and says what was committed.</summary>
internal abstract class BlobReceiver : IAsyncDisposable
{
    private readonly UploadTurn _turn;

    private protected BlobReceiver(UploadTurn turn, IBlobWriter writer)
    {
        _turn = turn;
        Writer = writer;
    }

    /// <summary>Where the next message has to begin.</summary>
    public abstract long ExpectedOffset { get; }

    /// <summary>Somebody has stored the blob: the rest need not travel (REAPI BW5).</summary>
    public bool IsPresent => !IsCommitted && Writer.AlreadyPresent;

    protected IBlobWriter Writer { get; }

    protected bool IsCommitted { get; private set; }

    protected long SizeBytes => _turn.Session.Name.Blob.Digest.SizeBytes;

    public static async ValueTask<BlobReceiver> OpenAsync(
        IBlobStore store, UploadTurn turn, long writeOffset, IServicesObserver observer, CancellationToken cancellationToken)
    {
        var session = turn.Session;
        // A client that begins again at 0 has forgotten its first attempt; most retry loops do. Only a resumption has
        // to agree with us about where it goes on (REAPI BW2).
        if (writeOffset == 0 && session.Writer is { WrittenBytes: > 0, AlreadyPresent: false } forgotten)
        {
            session.Writer = null;
            await forgotten.DisposeAsync();
        }

        try
        {
            session.Writer ??= await store.CreateWriterAsync(session.Name.Blob.Digest, cancellationToken);
        }
        catch
        {
            // Refused at the door: there is nothing to come back to.
            turn.IsOver = true;
            throw;
        }

        return session.Name.Blob.Compressor == Compressor.Identity
            ? new PlainBlobReceiver(turn, session.Writer, observer)
            : new ZstdBlobReceiver(turn, session.Writer, observer);
    }

    public async ValueTask AppendAsync(ReadOnlySequence<byte> data, CancellationToken cancellationToken)
    {
        try
        {
            await TakeDataAsync(data, cancellationToken);
        }
        catch (RpcException refused)
        {
            // Wrong data, or data that found no room: how much of it the store has taken, it does not say.
            throw Broken(refused);
        }
    }

    public async ValueTask CommitAsync(CancellationToken cancellationToken)
    {
        if (IsPresent) return;
        try
        {
            await EndDataAsync(cancellationToken);
            if (Writer.WrittenBytes < SizeBytes && !Writer.AlreadyPresent)
                throw RpcErrors.Invalid($"the upload ends after {Writer.WrittenBytes} of {SizeBytes} bytes");
            await Writer.CommitAsync(cancellationToken);
        }
        catch (RpcException refused)
        {
            throw Broken(refused);
        }

        IsCommitted = true;
    }

    /// <summary>The committed size to answer, once there is nothing more to do in this call.</summary>
    public async ValueTask<long> FinishAsync(CancellationToken cancellationToken)
    {
        if (IsPresent || IsCommitted)
        {
            _turn.IsOver = true;
            return IsCommitted ? CommittedSize : EarlySize;
        }

        await FlushAsync(cancellationToken);
        return _turn.Session.CommittedBytes;
    }

    /// <summary>No resumption can mend it: the client begins again.</summary>
    public RpcException Broken(RpcException reason)
    {
        _turn.IsOver = true;
        return reason;
    }

    public abstract ValueTask DisposeAsync();

    /// <summary>After a commit.</summary>
    protected abstract long CommittedSize { get; }

    /// <summary>When the blob was there before this upload was whole.</summary>
    protected abstract long EarlySize { get; }

    protected abstract ValueTask TakeDataAsync(ReadOnlySequence<byte> data, CancellationToken cancellationToken);

    /// <summary>All data has come: hand over what is held back, and refuse what is incomplete.</summary>
    protected abstract ValueTask EndDataAsync(CancellationToken cancellationToken);

    /// <summary>Hands over what is held back, because the call ends.</summary>
    protected abstract ValueTask FlushAsync(CancellationToken cancellationToken);
}
