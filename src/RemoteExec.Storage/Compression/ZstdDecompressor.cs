using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>
/// One stream being decompressed, from an untrusted peer: the window is at most 8 MiB, so a stream takes less than
/// 9 MiB whatever its header claims.
/// </summary>
public sealed class ZstdDecompressor : IDisposable
{
    // RFC 8878, 3.1.1.1.2 recommends decoders to support 8 MiB and to feel free to refuse more.
    private const int WindowLogMax = 23;

    private static readonly ContextPool<ZstdNative.DecoderHandle> Pool = new(Create);

    private ZstdNative.DecoderHandle? _context = Pool.Rent();

    /// <summary>Between two frames: everything that was given has come out, and nothing is missing.</summary>
    public bool IsAtFrameEnd { get; private set; } = true;

    /// <summary>Decompresses as much as fits. Call again with the rest while input is left or the output came back full.</summary>
    /// <exception cref="RpcException">INVALID_ARGUMENT: the bytes are not zstd.</exception>
    public unsafe void Decompress(ReadOnlySpan<byte> input, Span<byte> output, out int consumed, out int written)
    {
        ObjectDisposedException.ThrowIf(_context is null, this);
        nuint result;
        fixed (byte* source = input)
        fixed (byte* destination = output)
        {
            var from = new ZstdNative.InBuffer { Source = source, Size = (nuint)input.Length };
            var to = new ZstdNative.OutBuffer { Destination = destination, Size = (nuint)output.Length };
            result = ZstdNative.Decompress(_context, ref to, ref from);
            consumed = (int)from.Position;
            written = (int)to.Position;
        }

        if (ZstdNative.IsError(result) != 0)
            throw StorageErrors.Create(StatusCode.InvalidArgument, $"the zstd stream is broken: {ZstdNative.NameOfError(result)}");
        // 0 is the end of a frame; asking again at that place without input must not look like the start of another.
        if (consumed > 0 || written > 0) IsAtFrameEnd = result == 0;
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _context, null) is not { } context) return;
        if (ZstdNative.IsError(ZstdNative.Reset(context, ZstdNative.ResetSession)) == 0) Pool.Return(context);
        else context.Dispose();
    }

    private static ZstdNative.DecoderHandle Create()
    {
        var context = ZstdNative.CreateDecoder();
        if (context.IsInvalid) throw StorageErrors.Create(StatusCode.ResourceExhausted, "no memory for a zstd decoder");
        _ = ZstdNative.SetParameter(context, ZstdNative.WindowLogMax, WindowLogMax);
        return context;
    }
}
