using System.Buffers;
using Microsoft.Win32.SafeHandles;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Writes a blob that is a frame to another file. A piece at a time, where the whole would be in somebody's way.</summary>
internal sealed class FrameInflation(SafeFileHandle file, Digest digest, long frameBytes, IDisk disk, SafeFileHandle to) : IDisposable
{
    private const int ReadBytes = 64 << 10;

    // One job of the bulk threads, which uploads need too.
    private const long PieceBytes = 4 << 20;

    private readonly byte[] _read = ArrayPool<byte>.Shared.Rent(ReadBytes);
    private readonly FrameFile _frame = new(file, digest, frameBytes, disk);
    private long _offset;

    /// <summary>Writes so many bytes more, or a little beyond. Null when there are others behind them; false when the frame is not what was written.</summary>
    /// <exception cref="IOException">The disk does not take it, or it is no fault of the file that it could not be read.</exception>
    public bool? GoOn(long bytes)
    {
        for (long end = _offset + Math.Min(bytes, digest.SizeBytes - _offset); _offset < end;)
        {
            if (_frame.Read(_read) is not { } read) return false;
            RandomAccess.Write(to, _read.AsSpan(0, read), _offset);
            _offset += read;
        }

        return _offset < digest.SizeBytes ? null : true;
    }

    /// <summary>Writes all of it, and lets others have their turn.</summary>
    /// <inheritdoc cref="GoOn"/>
    public async Task<bool> RunAsync(BulkThreads bulk, CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (await bulk.RunAsync(() => GoOn(PieceBytes)) is { } isWhole) return isWhole;
        }
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_read);
        _frame.Dispose();
    }
}
