using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace RemoteExec.Rpc;

/// <summary>
/// Looks at the headers of the frames that a client sends (RFC 9113 section 4.1), on their way to Kestrel, for two things that Kestrel does not tell:
/// whether a call that is over was cancelled by its client or lost with its connection, and which requests arrived before the end of the
/// connection and are not read yet. Those are read first: a wish that arrived is carried out.
/// </summary>
internal sealed class ClientFrames(PipeReader inner) : PipeReader
{
    private const int PrefaceBytes = 24;
    private const int HeaderBytes = 9;
    private const int ResetBytes = 4;
    private const byte HeadersType = 0x1;
    private const byte ResetType = 0x3;
    private const uint Cancel = 0x8;

    // A call asks within moments of its end: as many as may be open at once, and some more.
    private const int ResetsMax = 1024;

    // As many; what comes while so many are not read is not waited for.
    private const int UnreadMax = 1024;

    // A request is read in microseconds; on a machine with twenty times the work that it can do half a second was not enough. One that is
    // not whole never is, nor is what Kestrel answers by itself: older than this, it is not waited for.
    private static readonly TimeSpan ReadingMax = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private readonly Queue<int> _resets = new();
    private readonly Dictionary<int, long> _unread = [];
    private readonly byte[] _frame = new byte[HeaderBytes + ResetBytes];
    private readonly TaskCompletionSource _sawEnd = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource? _allRead;
    private long _skip = PrefaceBytes;
    private int _frameBytes;
    private int _lastStream;

    private ReadOnlySequence<byte> _buffer;
    private long _seenBytes;

    /// <summary>Requests that arrived and are in nobody's hands.</summary>
    public int UnreadRequests
    {
        get
        {
            lock (_gate) return _unread.Count;
        }
    }

    /// <summary>Null on a connection that nobody looks at.</summary>
    public static ClientFrames? Of(HttpContext context) => RpcConnection.Of(context)?.Frames;

    /// <summary>0 where there are no streams.</summary>
    public static int StreamOf(HttpContext context) => context.Features.Get<IHttp2StreamIdFeature>()?.StreamId ?? 0;

    public static ConnectionDelegate Wrap(ConnectionDelegate next) => connection => RunAsync(connection, next);

    /// <summary>The client has reset this stream, saying CANCEL. True before Kestrel knows.</summary>
    public bool WasCancelled(int stream)
    {
        lock (_gate) return _resets.Contains(stream);
    }

    /// <summary>The request is in somebody's hands, or will never be.</summary>
    public void Read(int stream)
    {
        lock (_gate)
        {
            if (_unread.Remove(stream) && _unread.Count == 0) _allRead?.TrySetResult();
        }
    }

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        var read = inner.ReadAsync(cancellationToken);
        if (!read.IsCompletedSuccessfully) return WaitAsync(read);
        var result = read.Result;
        return result.IsCompleted ? WaitAsync(new ValueTask<ReadResult>(result)) : new ValueTask<ReadResult>(Looked(result));
    }

    public override bool TryRead(out ReadResult result)
    {
        if (!inner.TryRead(out result)) return false;
        result = Looked(result);
        return true;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        _seenBytes -= _buffer.Slice(_buffer.Start, consumed).Length;
        _buffer = default;
        inner.AdvanceTo(consumed, examined);
    }

    public override void CancelPendingRead() => inner.CancelPendingRead();

    public override void Complete(Exception? exception = null)
    {
        _sawEnd.TrySetResult();
        inner.Complete(exception);
    }

    // Pooled: one for each time that the connection is quiet.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReadResult> WaitAsync(ValueTask<ReadResult> read)
    {
        ReadResult result;
        try
        {
            result = await read;
        }
        catch (Exception)
        {
            _sawEnd.TrySetResult();
            await AllReadAsync();
            throw;
        }

        bool isNew = result.Buffer.Length > _seenBytes;
        result = Looked(result);
        if (!result.IsCompleted) return result;

        _sawEnd.TrySetResult();
        // First what came before the end; behind it the end.
        if (isNew) return new ReadResult(result.Buffer, result.IsCanceled, isCompleted: false);
        await AllReadAsync();
        return result;
    }

    private static async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var frames = new ClientFrames(connection.Transport.Input);
        connection.Transport = new Duplex(frames, connection.Transport.Output);
        RpcConnection.Of(connection).Frames = frames;

        // Kestrel hears of an end in two ways: this is the other.
        using var closed = new CancellationTokenSource();
        var closing = Task.CompletedTask;
        var ended = connection.ConnectionClosed.UnsafeRegister(_ => closing = frames.CloseAsync(closed), null);
        try
        {
            connection.ConnectionClosed = closed.Token;
            await next(connection);
        }
        finally
        {
            await ended.DisposeAsync(); // it has not begun and will not, or there is something to wait for
            await closing;
        }
    }

    private async Task CloseAsync(CancellationTokenSource closed)
    {
        // This may be told while the last bytes lie there and nobody has looked at them.
        await _sawEnd.Task.WaitAsync(ReadingMax).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await AllReadAsync();
        await closed.CancelAsync();
    }

    private async Task AllReadAsync()
    {
        Task allRead;
        lock (_gate)
        {
            ForgetOld();
            if (_unread.Count == 0) return;
            allRead = (_allRead ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }

        await allRead.WaitAsync(ReadingMax).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private ReadResult Looked(in ReadResult result)
    {
        _buffer = result.Buffer;
        foreach (var memory in _buffer.Slice(_seenBytes)) Look(memory.Span);
        _seenBytes = _buffer.Length;
        return result;
    }

    private void Look(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int length = _skip > 0 ? (int)Math.Min(_skip, bytes.Length) : Math.Min(WantedBytes() - _frameBytes, bytes.Length);
            if (_skip > 0)
            {
                _skip -= length;
            }
            else
            {
                bytes[..length].CopyTo(_frame.AsSpan(_frameBytes));
                _frameBytes += length;
                if (_frameBytes == WantedBytes()) LookAtFrame();
            }

            bytes = bytes[length..];
        }
    }

    /// <summary>The header; of a reset also why.</summary>
    private int WantedBytes() => _frameBytes >= HeaderBytes && IsReset ? HeaderBytes + ResetBytes : HeaderBytes;

    private bool IsReset => _frame[3] == ResetType && PayloadBytes == ResetBytes;

    private int PayloadBytes => (_frame[0] << 16) | (_frame[1] << 8) | _frame[2];

    private void LookAtFrame()
    {
        int stream = BinaryPrimitives.ReadInt32BigEndian(_frame.AsSpan(5)) & int.MaxValue;
        if (IsReset)
        {
            if (BinaryPrimitives.ReadUInt32BigEndian(_frame.AsSpan(HeaderBytes)) == Cancel) Keep(stream);
        }
        // Numbers only grow (section 5.1.1): anything else is no new request.
        else if (_frame[3] == HeadersType && stream > _lastStream)
        {
            _lastStream = stream;
            Expect(stream);
        }

        _skip = PayloadBytes - (_frameBytes - HeaderBytes);
        _frameBytes = 0;
    }

    private void Keep(int stream)
    {
        lock (_gate)
        {
            if (_resets.Count == ResetsMax) _resets.Dequeue();
            _resets.Enqueue(stream);
        }
    }

    private void Expect(int stream)
    {
        long now = Stopwatch.GetTimestamp();
        lock (_gate)
        {
            if (_unread.Count >= UnreadMax) ForgetOld();
            if (_unread.Count < UnreadMax) _unread[stream] = now;
        }
    }

    private void ForgetOld()
    {
        foreach (var (stream, since) in _unread)
        {
            if (Stopwatch.GetElapsedTime(since) > ReadingMax) _unread.Remove(stream); // a dictionary allows that while it is walked
        }
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
