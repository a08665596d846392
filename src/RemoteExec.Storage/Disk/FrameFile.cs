using System.Buffers;
using Microsoft.Win32.SafeHandles;
using RemoteExec.Core;
using ZstdNet;

namespace RemoteExec.Storage;

/// <summary>A blob's file that is one zstd frame, decompressed from its beginning on; what was written, but the disk may have altered it since.</summary>
/// <remarks>The frame ends with a checksum (RFC 8878, 3.1.1). The last bytes of the blob are given out only when it was compared.</remarks>
internal sealed class FrameFile(SafeFileHandle file, Digest digest, long frameBytes, IDisk disk) : IDisposable
{
    private const int InputBytes = 64 << 10;

    // Between two files one stands where no frame has begun.
    private static readonly ContextPool<ZstdDecoder> Decoders = new(() => new ZstdDecoder());

    private readonly byte[] _input = ArrayPool<byte>.Shared.Rent(InputBytes);
    private readonly ZstdDecoder _decoder = Decoders.Rent();
    private long _read;
    private long _given;
    private bool _isClean;
    private bool _isDisposed;

    /// <summary>Of the frame, what was read.</summary>
    public long ReadBytes => _read;

    /// <summary>Null when the file is not what was written, or the disk does not give it back; 0 only at the end of the blob.</summary>
    /// <exception cref="IOException">It is no fault of the file that it could not be read.</exception>
    public int? Read(Span<byte> output)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (output.IsEmpty || _given == digest.SizeBytes) return 0;

        try
        {
            var wanted = output[..(int)Math.Min(output.Length, digest.SizeBytes - _given)];
            int count = Decode(wanted);
            if (count == 0) return null;

            _given += count;
            if (_given < digest.SizeBytes) return count;

            // The checksum, and nothing else.
            Span<byte> beyond = stackalloc byte[1];
            _isClean = Decode(beyond) == 0 && _read == frameBytes && _decoder.IsBetweenFrames();
            return _isClean ? count : null;
        }
        catch (ZstdException)
        {
            return null;
        }
        catch (IOException unreadable) when (Errno.IsUnreadable(unreadable.HResult))
        {
            return null;
        }
    }

    public void Dispose()
    {
        if (_isDisposed) return;
        _isDisposed = true;

        ArrayPool<byte>.Shared.Return(_input);
        if (_isClean) Decoders.Return(_decoder);
        else _decoder.Dispose();
    }

    /// <summary>Less than the output says that the frame ends.</summary>
    private int Decode(Span<byte> output)
    {
        int filled = 0;
        while (true)
        {
            filled += _decoder.Read(output[filled..]);
            if (filled == output.Length || _read == frameBytes) return filled;

            int read = disk.Read(file, _input.AsSpan(0, (int)Math.Min(InputBytes, frameBytes - _read)), _read);
            if (read == 0) return filled;
            _read += read;
            _decoder.Push(_input.AsMemory(0, read));
        }
    }
}
