using System.Security.Cryptography;
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

    // What comes out is compared with what only this process knows: a peer that could foresee it might write a frame around it, and
    // leave the decoder to the next upload in the middle of that frame.
    private static readonly byte[] ProbeContent = RandomNumberGenerator.GetBytes(16);

    // RFC 8878, 3.1.1: magic | descriptor: one segment, size in one byte | size | block: last, raw, 16 bytes | the bytes
    private static readonly byte[] Probe = [0x28, 0xB5, 0x2F, 0xFD, 0x20, 16, (16 << 3) | 1, 0, 0, .. ProbeContent];

    private readonly Feed _feed = new();
    private readonly DecompressionStream _stream;

    public ZstdDecoder() => _stream = new DecompressionStream(_feed, Options, InputBytes);

    /// <summary>Input for the calls of <see cref="Read"/> that follow; the last one must have come back short.</summary>
    public void Push(ReadOnlyMemory<byte> input) => _feed.Rest = input;

    /// <summary>Decompresses until the output is full; less says that the input is used up.</summary>
    /// <exception cref="ZstdException">The bytes are not zstd.</exception>
    public int Read(Span<byte> output) => _stream.Read(output);

    /// <summary>
    /// Whether all input was whole frames. The library tells nobody, so a small frame is sent after them: only between two frames does
    /// its content come out. Inside of one its magic number is an impossible block or a wrong checksum, or it is swallowed.
    /// </summary>
    public bool IsBetweenFrames()
    {
        Span<byte> output = stackalloc byte[ProbeContent.Length + 1];
        Push(Probe);
        try
        {
            return output[..Read(output)].SequenceEqual(ProbeContent);
        }
        catch (ZstdException)
        {
            return false;
        }
    }

    public void Dispose() => _stream.Dispose();

    /// <summary>What the library pulls its input from, by this one method; empty is no end, more may be pushed.</summary>
    private sealed class Feed : MemoryStream
    {
        public ReadOnlyMemory<byte> Rest { get; set; }

        public override int Read(Span<byte> buffer)
        {
            int count = Math.Min(buffer.Length, Rest.Length);
            Rest.Span[..count].CopyTo(buffer);
            Rest = Rest[count..];
            return count;
        }
    }
}
