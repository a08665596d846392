using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections;

namespace RemoteExec.Rpc;

/// <summary>
/// The streams of a connection that its client has cancelled. Kestrel tells of a call that is over only that it is, whether its client has reset it or
/// the connection was lost; so the headers of the client's frames (RFC 9113 section 4.1) are looked at on their way to Kestrel, for
/// RST_STREAM (section 6.4) with CANCEL.
/// </summary>
internal sealed class ClientResets(PipeReader inner) : PipeReader
{
    private const int PrefaceBytes = 24;
    private const int HeaderBytes = 9;
    private const int ResetBytes = 4;
    private const byte ResetType = 0x3;
    private const uint Cancel = 0x8;

    // A call asks within moments of its end, and streams end one by one: as many as may be open at once, several times over.
    private const int KeptMax = 1024;

    private readonly Lock _gate = new();
    private readonly Queue<int> _cancelled = new();
    private readonly byte[] _frame = new byte[HeaderBytes + ResetBytes];
    private long _skip = PrefaceBytes;
    private int _frameBytes;

    private ReadOnlySequence<byte> _buffer;
    private long _seenBytes;

    public static ConnectionDelegate Wrap(ConnectionDelegate next) => connection =>
    {
        var resets = new ClientResets(connection.Transport.Input);
        connection.Transport = new Duplex(resets, connection.Transport.Output);
        connection.Features.Set(resets);
        return next(connection);
    };

    /// <summary>The client has reset this stream, saying CANCEL. True before Kestrel knows.</summary>
    public bool HasCancelled(int stream)
    {
        lock (_gate) return _cancelled.Contains(stream);
    }

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        var read = inner.ReadAsync(cancellationToken);
        return read.IsCompletedSuccessfully ? new ValueTask<ReadResult>(Looked(read.Result)) : WaitAsync(read);
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

    public override void Complete(Exception? exception = null) => inner.Complete(exception);

    // Pooled: one for each time that the connection is quiet.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReadResult> WaitAsync(ValueTask<ReadResult> read) => Looked(await read);

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
        if (IsReset && BinaryPrimitives.ReadUInt32BigEndian(_frame.AsSpan(HeaderBytes)) == Cancel)
            Keep(BinaryPrimitives.ReadInt32BigEndian(_frame.AsSpan(5)) & int.MaxValue);
        _skip = PayloadBytes - (_frameBytes - HeaderBytes);
        _frameBytes = 0;
    }

    private void Keep(int stream)
    {
        lock (_gate)
        {
            if (_cancelled.Count == KeptMax) _cancelled.Dequeue();
            _cancelled.Enqueue(stream);
        }
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
