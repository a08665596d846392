using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>One stream being compressed into a single frame.</summary>
public sealed class ZstdCompressor : IDisposable
{
    // The fastest level: the network is rarely so slow that a better ratio pays for the processor time.
    private const int Level = 1;

    private static readonly ContextPool<ZstdNative.EncoderHandle> Pool = new(Create);

    private ZstdNative.EncoderHandle? _context = Pool.Rent();

    /// <param name="sizeBytes">How many bytes will come, exactly: decoders size their buffers by it.</param>
    public ZstdCompressor(long sizeBytes) => _ = ZstdNative.PledgeSize(_context, (ulong)sizeBytes);

    /// <summary>
    /// Takes input and gives what is ready. With <paramref name="isLast"/> call again with the rest until it returns
    /// true: then the frame is complete.
    /// </summary>
    public unsafe bool Compress(ReadOnlySpan<byte> input, Span<byte> output, bool isLast, out int consumed, out int written)
    {
        ObjectDisposedException.ThrowIf(_context is null, this);
        nuint result;
        fixed (byte* source = input)
        fixed (byte* destination = output)
        {
            var from = new ZstdNative.InBuffer { Source = source, Size = (nuint)input.Length };
            var to = new ZstdNative.OutBuffer { Destination = destination, Size = (nuint)output.Length };
            result = ZstdNative.Compress(_context, ref to, ref from, isLast ? ZstdNative.End : ZstdNative.Continue);
            consumed = (int)from.Position;
            written = (int)to.Position;
        }

        if (ZstdNative.IsError(result) != 0)
            throw StorageErrors.Create(StatusCode.Internal, $"zstd compression failed: {ZstdNative.NameOfError(result)}");
        return isLast && result == 0;
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _context, null) is not { } context) return;
        if (ZstdNative.IsError(ZstdNative.Reset(context, ZstdNative.ResetSession)) == 0) Pool.Return(context);
        else context.Dispose();
    }

    private static ZstdNative.EncoderHandle Create()
    {
        var context = ZstdNative.CreateEncoder();
        if (context.IsInvalid) throw StorageErrors.Create(StatusCode.ResourceExhausted, "no memory for a zstd encoder");
        _ = ZstdNative.SetParameter(context, ZstdNative.CompressionLevel, Level);
        return context;
    }
}
