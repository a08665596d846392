using System.Buffers;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// One upload by its whole name (REAPI N3), over as many calls as the client needs. One call at a time holds it
/// (<see cref="UploadHold"/>); between calls it keeps what was written, so that the client can go on from there.
/// </summary>
/// <remarks>
/// Small pieces are gathered into larger ones, because each costs a system call and the disk store hashes and writes large ones at the
/// same time on two cores; a large piece goes as it came.
/// </remarks>
internal sealed class Upload(Uploads uploads, UploadResourceName name, IUploadEncoding encoding)
{
    // Large enough that the copy into it is noise beside hashing, small enough to stay in the processor's cache.
    private const int GatherBytes = 512 << 10;

    private IBlobWriter? _writer;
    private byte[]? _gathered;
    private int _filled;
    private long _receivedBytes; // written and gathered
    private long _skipBytes; // come again, and are here
    private bool _isCommitted;

    public UploadResourceName Name => name;

    /// <summary>The call that has it; guarded by the lock of the uploads.</summary>
    public UploadHold? Hold { get; set; }

    /// <summary>Where it stands among those that nobody holds; guarded by the lock of the uploads.</summary>
    public LinkedListNode<Upload>? IdlePlace { get; set; }

    /// <summary>When the last message came or the last call let go, in the clock's timestamps.</summary>
    public long LastHeard { get; set; }

    /// <summary>Committed, refused, or broken beyond resuming: nobody comes back to it.</summary>
    public bool IsOver { get; private set; }

    /// <summary>What QueryWriteStatus answers: a Write that begins there goes on. Any thread may ask.</summary>
    public long CommittedBytes => encoding.CanResume ? _writer?.WrittenBytes ?? 0 : 0;

    /// <summary>Where the next message has to begin.</summary>
    public long ExpectedOffset => _receivedBytes - _skipBytes;

    /// <summary>Somebody has stored the blob: the rest need not travel (REAPI BW5).</summary>
    public bool IsPresent => !_isCommitted && _writer is { AlreadyPresent: true };

    private Digest Digest => name.Blob.Digest;

    /// <summary>A call begins to write at an offset.</summary>
    public async ValueTask EnterAsync(IBlobStore store, long writeOffset, CancellationToken cancellationToken)
    {
        // A client that begins again at 0 has forgotten its first attempt; most retry loops do.
        if (writeOffset == 0 && _receivedBytes > 0 && !IsPresent) await ForgetAsync();

        IsOver = true; // refused at the door, there is nothing to come back to
        _writer ??= await encoding.OpenAsync(store, Digest, cancellationToken);
        IsOver = false;
        // We may have more than we told the client (REAPI BW2): what was on its way came in after the answer.
        _skipBytes = writeOffset > 0 && writeOffset < _receivedBytes ? _receivedBytes - writeOffset : 0;
    }

    public async ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        LastHeard = uploads.Now;
        uploads.Observer.BlobReceived(data.Length, isCompressed: name.Blob.Compressor != Compressor.Identity);
        int skipped = (int)Math.Min(_skipBytes, data.Length);
        _skipBytes -= skipped;
        await OrBreakAsync(TakeAsync(data[skipped..], cancellationToken));
    }

    public async ValueTask CommitAsync(CancellationToken cancellationToken)
    {
        if (IsPresent) return;
        if (_skipBytes > 0) throw Broken(RpcErrors.Invalid($"the upload ends {_skipBytes} bytes before what came earlier"));

        await OrBreakAsync(FlushAndCommitAsync(cancellationToken));
        _isCommitted = true;
    }

    /// <summary>The committed size to answer, once there is nothing more to do in this call.</summary>
    public async ValueTask<long> FinishAsync(CancellationToken cancellationToken)
    {
        IsOver = _isCommitted || IsPresent;
        if (IsOver) return _isCommitted ? _receivedBytes : encoding.EarlySize(Digest);

        await OrBreakAsync(FlushAsync(cancellationToken));
        return CommittedBytes;
    }

    /// <summary>No resumption can mend it: the client begins again.</summary>
    public RpcException Broken(RpcException reason)
    {
        IsOver = true;
        return reason;
    }

    /// <summary>The call ends. What its client has sent shall count when it comes back; false says that there is nothing to come back to.</summary>
    public async ValueTask<bool> LetGoAsync()
    {
        // What it has is of no use without the decoder's state; only its name is kept, for the question where to begin.
        if (!encoding.CanResume) await ForgetAsync();
        try
        {
            if (!IsOver) await FlushAsync(CancellationToken.None);
        }
        catch (RpcException)
        {
            // The call fails already with a better reason; a store that takes no more makes the upload start again.
            IsOver = true;
        }

        ReturnBuffer();
        _receivedBytes = CommittedBytes;
        // Without a byte there is nothing to come back to, and the writer holds room.
        return !IsOver && _writer is not { WrittenBytes: 0 };
    }

    /// <summary>Gives back what the store has set aside.</summary>
    public ValueTask ForgetAsync()
    {
        ReturnBuffer();
        _receivedBytes = 0;
        var writer = _writer;
        _writer = null;
        return writer?.DisposeAsync() ?? ValueTask.CompletedTask;
    }

    private async ValueTask TakeAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        // Not held back: with these the blob is whole, or has a byte too many, which is refused as soon as it is known (REAPI BW7).
        bool isLast = _receivedBytes + data.Length >= Digest.SizeBytes;
        if (data.Length >= GatherBytes / 2 || (isLast && _filled == 0))
        {
            await FlushAsync(cancellationToken);
            await _writer!.AppendAsync(data, cancellationToken); // entered
        }
        else
        {
            if (_filled + data.Length > GatherBytes) await FlushAsync(cancellationToken);
            _gathered ??= ArrayPool<byte>.Shared.Rent(GatherBytes);
            data.CopyTo(_gathered.AsMemory(_filled));
            _filled += data.Length;
            if (isLast) await FlushAsync(cancellationToken);
        }

        _receivedBytes += data.Length;
    }

    private async ValueTask FlushAndCommitAsync(CancellationToken cancellationToken)
    {
        await FlushAsync(cancellationToken);
        await _writer!.CommitAsync(cancellationToken); // entered
    }

    private async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        if (_filled == 0) return;

        int count = _filled;
        // Empty even if the append fails: what a store refused once must not come again.
        _filled = 0;
        await _writer!.AppendAsync(_gathered.AsMemory(0, count), cancellationToken); // only who entered gathers
    }

    /// <summary>Wrong data, or data that found no room: how much of it the store has taken, it does not say.</summary>
    private async ValueTask OrBreakAsync(ValueTask step)
    {
        try
        {
            await step;
        }
        catch (RpcException refused)
        {
            throw Broken(refused);
        }
    }

    private void ReturnBuffer()
    {
        if (_gathered is not null) ArrayPool<byte>.Shared.Return(_gathered);
        _gathered = null;
        _filled = 0;
    }
}
