using System.Buffers;
using Microsoft.Win32.SafeHandles;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Whether a file, or the frame that it is, is what its name says. A piece at a time, where the whole would be in somebody's way.</summary>
/// <param name="frameBytes">0: it is the blob itself.</param>
internal sealed class FileContent(SafeFileHandle file, Digest digest, long frameBytes, IDisk disk) : IDisposable
{
    private const int ReadBytes = 256 << 10;

    private readonly byte[] _read = ArrayPool<byte>.Shared.Rent((int)Math.Min(ReadBytes, digest.SizeBytes));
    private readonly DigestHasher _hasher = DigestHasher.Create(digest.Function, digest.SizeBytes);
    private readonly FrameFile? _frame = frameBytes > 0 ? new FrameFile(file, digest, frameBytes, disk) : null;
    private long _offset;

    /// <summary>False also where the disk does not give it back.</summary>
    /// <exception cref="IOException">It is no fault of the file that it could not be read.</exception>
    public static bool Is(SafeFileHandle file, in Digest digest, IDisk disk)
    {
        using var content = new FileContent(file, digest, frameBytes: 0, disk);
        return content.GoOn(digest.SizeBytes) == true;
    }

    /// <summary>Looks at so many bytes more of the blob. Null when there are others behind them, and all is well so far.</summary>
    /// <inheritdoc cref="Is"/>
    public bool? GoOn(long bytes)
    {
        if (_offset == 0 && RandomAccess.GetLength(file) != (frameBytes > 0 ? frameBytes : digest.SizeBytes)) return false;

        for (long end = _offset + Math.Min(bytes, digest.SizeBytes - _offset); _offset < end;)
        {
            int read = Read((int)Math.Min(_read.Length, end - _offset));
            if (read == 0) return false;
            _hasher.Append(_read.AsSpan(0, read));
            _offset += read;
        }

        return _offset < digest.SizeBytes ? null : _hasher.Finish() == digest;
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_read);
        _hasher.Dispose();
        _frame?.Dispose();
    }

    /// <summary>None when it ends early, or the disk does not give it back.</summary>
    private int Read(int bytes)
    {
        var piece = _read.AsSpan(0, bytes);
        try
        {
            return _frame is null ? disk.Read(file, piece, _offset) : _frame.Read(piece) ?? 0;
        }
        catch (IOException unreadable) when (Errno.IsUnreadable(unreadable.HResult))
        {
            return 0;
        }
    }
}
