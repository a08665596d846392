using ZstdNet;

namespace RemoteExec.Storage;

/// <summary>
/// Zstd from an untrusted peer, pushed in and pulled out: the window is at most 8 MiB, so a stream takes less than 9 MiB whatever its
/// header claims. Kept and used again as long as it stands between two frames.
/// </summary>
internal sealed class ZstdDecoder : IDisposable
{
    // RFC 8878, 3.1.1.1.2 recommends decoders to support 8 MiB and to feel free to refuse more.
    private const int WindowLogMax = 23;

    private const int InputBytes = 64 << 10;

    private static readonly DecompressionOptions Options =
        new(null, new Dictionary<ZSTD_dParameter, int> { [ZSTD_dParameter.ZSTD_d_windowLogMax] = WindowLogMax });

    private readonly Feed _feed = new();
    private readonly DecompressionStream _stream;

    public ZstdDecoder() => _stream = new DecompressionStream(_feed, Options, InputBytes);

    // RFC 8878, 3.1.1: magic | descriptor: one segment, size in one byte | size 1 | block: last, raw, 1 byte | the byte
    private static ReadOnlyMemory<byte> Probe { get; } = new byte[] { 0x28, 0xB5, 0x2F, 0xFD, 0x20, 0x01, 0x09, 0x00, 0x00, 0x5A };

    /// <summary>Input for the calls of <see cref="Read"/> that follow; the last one must have come back short.</summary>
    public void Push(ReadOnlyMemory<byte> input) => _feed.Rest = input;

    /// <summary>Decompresses until the output is full; less says that the input is used up.</summary>
    /// <exception cref="ZstdException">The bytes are not zstd.</exception>
    public int Read(Span<byte> output) => _stream.Read(output);

    /// <summary>
    /// Whether all input was whole frames. The library tells nobody, so a frame of one byte is sent after them: only between two
    /// frames does that byte come out. Inside of one the magic number is an impossible block or a wrong checksum, or it is swallowed.
    /// </summary>
    public bool IsBetweenFrames()
    {
        Span<byte> output = stackalloc byte[2];
        Push(Probe);
        try
        {
            return Read(output) == 1 && output[0] == Probe.Span[^1];
        }
        catch (ZstdException)
        {
            return false;
        }
    }

    public void Dispose() => _stream.Dispose();

    /// <summary>What the library pulls its input from; empty is no end, more may be pushed.</summary>
    private sealed class Feed : Stream
    {
        public ReadOnlyMemory<byte> Rest { get; set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(Span<byte> buffer)
        {
            int count = Math.Min(buffer.Length, Rest.Length);
            Rest.Span[..count].CopyTo(buffer);
            Rest = Rest[count..];
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Flush()
        {
            // Nothing is held back.
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
