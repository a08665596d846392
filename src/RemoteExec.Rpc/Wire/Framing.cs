using System.Buffers;
using System.IO.Pipelines;
using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>One message with its frame header, in memory: a request that may have to be sent again.</summary>
internal static class Framing
{
    public static ReadOnlyMemory<byte> Frame(ReadOnlySpan<byte> message, bool isGzip)
    {
        var buffer = new FrameBuffer();
        new MessageWriter(buffer, isGzip, stall: null).Write(message, mayCompress: true);
        return buffer.Written;
    }

    public static ReadOnlyMemory<byte> Frame<T>(T message, Marshaller<T> marshaller, bool isGzip)
    {
        var buffer = new FrameBuffer();
        new MessageWriter(buffer, isGzip, stall: null).Write(message, marshaller);
        return buffer.Written;
    }

    private sealed class FrameBuffer : PipeWriter
    {
        private readonly ArrayBufferWriter<byte> _buffer = new();

        public ReadOnlyMemory<byte> Written => _buffer.WrittenMemory;

        public override Memory<byte> GetMemory(int sizeHint = 0) => _buffer.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => _buffer.GetSpan(sizeHint);

        public override void Advance(int bytes) => _buffer.Advance(bytes);

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => default;

        public override void CancelPendingFlush() { }

        public override void Complete(Exception? exception = null) { }
    }
}
