using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;
using System.IO.Pipelines;
using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>
/// Writes messages straight into the connection's buffers. For a message that is partly a file:
/// <code>
/// writer.BeginMessage(headerBytes + bodyBytes);   // announces the length
/// writer.Write(header);                           // this is an IBufferWriter
/// int count = RandomAccess.Read(file, writer.GetSpan(bodyBytes), offset);
/// writer.Advance(count);                          // ... until all announced bytes are there
/// await writer.EndMessageAsync(cancellationToken);
/// </code>
/// One message at a time.
/// </summary>
public sealed class MessageWriter : IBufferWriter<byte>
{
    private const int HeaderBytes = 5;

    private readonly PipeWriter _pipe;
    private readonly bool _isGzip;
    private readonly StallTimer? _stall;
    private long _missingBytes;

    internal MessageWriter(PipeWriter pipe, bool isGzip, StallTimer? stall)
    {
        _pipe = pipe;
        _isGzip = isGzip;
        _stall = stall;
    }

    /// <summary>Bytes of all messages so far, as they go over the wire.</summary>
    public long TotalBytes { get; private set; }

    internal bool HasWritten { get; private set; }

    /// <summary>True between the first byte of a message and its last: the stream cannot end well there.</summary>
    internal bool IsInsideMessage => _missingBytes != 0;

    /// <summary>Starts a message of exactly <paramref name="messageBytes"/> bytes, never compressed.</summary>
    public void BeginMessage(int messageBytes) => BeginMessage(messageBytes, isCompressed: false);

    public Memory<byte> GetMemory(int sizeHint = 0) => _pipe.GetMemory(sizeHint);

    public Span<byte> GetSpan(int sizeHint = 0) => _pipe.GetSpan(sizeHint);

    public void Advance(int count)
    {
        if (count > _missingBytes)
            throw new InvalidOperationException($"{count} bytes written where the message has {_missingBytes} left");
        _pipe.Advance(count);
        _missingBytes -= count;
    }

    /// <summary>
    /// Sends what was written so far and waits for room; use it inside a message that is too large to buffer.
    /// False: the peer has answered already and wants no more.
    /// </summary>
    public ValueTask<bool> FlushAsync(CancellationToken cancellationToken)
    {
        var flush = _pipe.FlushAsync(cancellationToken);
        if (!flush.IsCompletedSuccessfully) return WaitAsync(flush);
        var result = flush.Result;
        return result.IsCanceled ? WaitAsync(new ValueTask<FlushResult>(result)) : new ValueTask<bool>(!result.IsCompleted);
    }

    /// <summary>Ends the message and sends it. False: the peer has answered already and wants no more.</summary>
    public ValueTask<bool> EndMessageAsync(CancellationToken cancellationToken)
    {
        if (_missingBytes != 0)
            throw new InvalidOperationException($"message ends {_missingBytes} bytes before its announced end");
        return FlushAsync(cancellationToken);
    }

    /// <summary>Writes one whole message and sends it.</summary>
    public ValueTask<bool> WriteAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        Write(message.Span, mayCompress: true);
        return EndMessageAsync(cancellationToken);
    }

    /// <summary>Writes one whole message, and leaves the sending to the next flush.</summary>
    internal void Write(ReadOnlySpan<byte> message, bool mayCompress)
    {
        if (mayCompress && _isGzip)
        {
            var compressed = GzipMessages.Compress(message);
            if (compressed.Length < message.Length)
            {
                BeginMessage(compressed.Length, isCompressed: true);
                this.Write(compressed.Span);
                return;
            }
        }

        BeginMessage(message.Length);
        this.Write(message);
    }

    internal void Write<T>(T message, Marshaller<T> marshaller, bool mayCompress = true)
    {
        var context = new MarshalledMessage(this, mayCompress && _isGzip);
        marshaller.ContextualSerializer(message, context);
        context.AssertComplete();
    }

    private void BeginMessage(int messageBytes, bool isCompressed)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(messageBytes);
        if (_missingBytes != 0) throw new InvalidOperationException("the message before this one is not finished");
        var header = _pipe.GetSpan(HeaderBytes);
        header[0] = isCompressed ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteInt32BigEndian(header[1..], messageBytes);
        _pipe.Advance(HeaderBytes);
        _missingBytes = messageBytes;
        TotalBytes += messageBytes;
        HasWritten = true;
    }

    private async ValueTask<bool> WaitAsync(ValueTask<FlushResult> flush)
    {
        FlushResult result;
        _stall?.Arm();
        try
        {
            result = await flush;
        }
        finally
        {
            _stall?.Disarm(); // a wait that was cancelled is over as well
        }

        return result.IsCanceled ? throw new OperationCanceledException("the call ended during a write") : !result.IsCompleted;
    }

    /// <summary>
    /// Lets a marshaller write in place when it says the length first, as generated code does; else, or to
    /// compress, through a buffer.
    /// </summary>
    private sealed class MarshalledMessage(MessageWriter writer, bool isGzip) : SerializationContext
    {
        private ArrayBufferWriter<byte>? _buffer;
        private bool _isInPlace;
        private bool _isComplete;

        public override void SetPayloadLength(int payloadLength)
        {
            if (isGzip || _buffer is not null) return;
            writer.BeginMessage(payloadLength);
            _isInPlace = true;
        }

        public override IBufferWriter<byte> GetBufferWriter() =>
            _isInPlace ? writer : _buffer ??= new ArrayBufferWriter<byte>();

        public override void Complete()
        {
            _isComplete = true;
            if (!_isInPlace) writer.Write(_buffer is null ? default : _buffer.WrittenSpan, isGzip);
        }

        public override void Complete(byte[] payload)
        {
            _isComplete = true;
            Debug.Assert(!_isInPlace, "either the length is announced, or the whole message is given");
            writer.Write(payload, isGzip);
        }

        public void AssertComplete()
        {
            if (!_isComplete || writer.IsInsideMessage)
                throw new InvalidOperationException("the marshaller did not complete its message");
        }
    }
}
