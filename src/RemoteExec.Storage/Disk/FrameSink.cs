using Microsoft.Win32.SafeHandles;
using ZstdNet;

namespace RemoteExec.Storage;

/// <summary>Writes a file as one zstd frame, with a checksum at its end.</summary>
internal sealed class FrameSink : IDisposable
{
    // The fastest level, as on the wire: what is stored is compressed once for all who want it, while somebody waits for it.
    private static readonly CompressionOptions Options = new(
        null, new Dictionary<ZSTD_cParameter, int> { [ZSTD_cParameter.ZSTD_c_checksumFlag] = 1 }, compressionLevel: 1);

    private readonly Output _output;
    private readonly CompressionStream _frame;

    public FrameSink(SafeFileHandle file)
    {
        _output = new Output(file);
        _frame = new CompressionStream(_output, Options);
    }

    /// <summary>So long is the file by now.</summary>
    public long WrittenBytes => _output.WrittenBytes;

    /// <exception cref="IOException">The disk does not take it.</exception>
    public void Write(ReadOnlySpan<byte> data) => _frame.Write(data);

    /// <summary>Writes the end of the frame.</summary>
    /// <exception cref="IOException">The disk does not take it.</exception>
    public void Finish() => _frame.Dispose();

    /// <summary>Without an end.</summary>
    public void Dispose()
    {
        _output.IsClosed = true;
        _frame.Dispose();
    }

    /// <summary>What the library writes to, by this method or that.</summary>
    private sealed class Output(SafeFileHandle file) : MemoryStream
    {
        public long WrittenBytes { get; private set; }

        public bool IsClosed { get; set; }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (IsClosed) return;
            RandomAccess.Write(file, buffer, WrittenBytes);
            WrittenBytes += buffer.Length;
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
    }
}
