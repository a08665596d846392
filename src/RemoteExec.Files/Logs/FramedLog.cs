using System.Buffers.Binary;
using System.Diagnostics;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Files;

/// <summary>
/// A file of frames that is appended to, read from front to back, cut behind its last whole frame, and replaced as a whole. What it
/// is good for after a crash is its user's choice: it is flushed when <see cref="Flush"/> is called, and not otherwise.
/// </summary>
/// <remarks>Appending is for one thread at a time, reading for any.</remarks>
public sealed class FramedLog : IDisposable
{
    /// <summary>What a log that is being written as a whole is called until <see cref="Publish"/>.</summary>
    public const string UnfinishedSuffix = ".tmp";

    private readonly FrameFormat _format;
    private readonly SafeFileHandle _file;
    private readonly IDisk _disk;
    private long _lengthBytes;
    private bool _isUnfinished;

    private FramedLog(string path, FrameFormat format, SafeFileHandle file, ulong marker, long lengthBytes, IDisk disk) =>
        (Path, Marker, _format, _file, _lengthBytes, _disk) = (path, marker, format, file, lengthBytes, disk);

    public string Path { get; }

    /// <summary>Where the next frame goes.</summary>
    public long LengthBytes => Volatile.Read(ref _lengthBytes);

    internal ulong Marker { get; }

    /// <summary>Begins a log that gets its name, and replaces what has that name, with <see cref="Publish"/>; disposed before, it was never there.</summary>
    /// <param name="isAlone">Nobody else opens it meanwhile.</param>
    public static FramedLog Begin(string path, FrameFormat format, IDisk disk, bool isAlone)
    {
        ulong marker = BinaryPrimitives.ReadUInt64LittleEndian(RandomNumberGenerator.GetBytes(sizeof(ulong)));
        var file = OpenFile(path + UnfinishedSuffix, FileMode.Create, isAlone);
        var log = new FramedLog(path, format, file, marker, format.HeaderBytes, disk) { _isUnfinished = true };
        if (!format.HasMarker) return log;

        Span<byte> header = stackalloc byte[format.HeaderBytes];
        format.WriteHeader(header, marker);
        try
        {
            RandomAccess.Write(file, header, 0);
            return log;
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }

    /// <summary>Opens a log to read it and to append; null for a file that is none, with what it is instead.</summary>
    /// <exception cref="IOException">It cannot be opened; when <paramref name="isAlone"/>, also because somebody has it open.</exception>
    public static FramedLog? TryOpen(string path, FrameFormat format, IDisk disk, bool isAlone, out string? fault)
    {
        var file = OpenFile(path, FileMode.Open, isAlone);
        try
        {
            Span<byte> header = stackalloc byte[format.HeaderBytes];
            int read = header.IsEmpty ? 0 : disk.Read(file, header, 0);
            fault = format.ReadHeader(header[..read], out ulong marker);
            if (fault is null) return new FramedLog(path, format, file, marker, RandomAccess.GetLength(file), disk);
        }
        catch
        {
            file.Dispose();
            throw;
        }

        file.Dispose();
        return null;
    }

    /// <summary>
    /// Writes a sealed frame, wholly or not at all: after a failure the next one goes to the same place. Returns where it is.
    /// </summary>
    public long Append(Span<byte> frame)
    {
        _format.Mark(frame, Marker);
        long offset = _lengthBytes;
        try
        {
            RandomAccess.Write(_file, frame, offset);
        }
        catch
        {
            // On a full disk the torn part would keep room that others need.
            CutFile(offset);
            throw;
        }

        Volatile.Write(ref _lengthBytes, offset + frame.Length);
        return offset;
    }

    /// <summary>Writes a frame over one that is exactly as long: that needs no room on a file system that writes in place.</summary>
    public void Overwrite(long offset, Span<byte> frame)
    {
        _format.Mark(frame, Marker);
        RandomAccess.Write(_file, frame, offset);
    }

    /// <summary>Everything from the first frame on.</summary>
    public FrameReader ReadAll() => new(this, _format, _format.HeaderBytes, LengthBytes);

    /// <summary>What is between two ends of frames.</summary>
    public FrameReader ReadBetween(long start, long end) => new(this, _format, start, end);

    /// <summary>Whether these bytes are there, and are wholly and unaltered one frame.</summary>
    public bool TryRead(long offset, Span<byte> frame) => Read(offset, frame) == frame.Length && _format.IsFrame(frame, Marker);

    /// <summary>Takes away what a killed process or a loss of power left behind the last frame.</summary>
    public void CutAt(long end)
    {
        if (end < _lengthBytes) RandomAccess.SetLength(_file, end);
        Volatile.Write(ref _lengthBytes, end);
    }

    /// <exception cref="FileSystemException">Never to be tried again: the kernel may have dropped the pages and call the next one a success.</exception>
    public void Flush()
    {
        int errno = _disk.Flush(_file);
        if (errno != 0) throw new FileSystemException($"flushing {Path}", errno);
    }

    /// <summary>Gives a log that was begun its name, in place of whatever had it.</summary>
    public void Publish()
    {
        File.Move(Path + UnfinishedSuffix, Path, overwrite: true);
        _isUnfinished = false;
    }

    /// <summary>A reader's hold: the log may be deleted and disposed, but what is in it can be read until <see cref="LetGo"/>.</summary>
    public void Hold()
    {
        bool held = false;
        _file.DangerousAddRef(ref held);
    }

    public void LetGo() => _file.DangerousRelease();

    public void Dispose()
    {
        _file.Dispose();
        if (!_isUnfinished) return;

        // On a full disk it would keep the room that is missing.
        _isUnfinished = false;
        try
        {
            File.Delete(Path + UnfinishedSuffix);
        }
        catch (Exception refused)
        {
            // Whoever disposes of it has a failure of its own to tell. What stays is written over by the next that is begun.
            Trace.TraceWarning($"{Path + UnfinishedSuffix} was not deleted: {refused.Message}");
        }
    }

    internal int Read(long offset, Span<byte> buffer)
    {
        int read = 0;
        while (read < buffer.Length)
        {
            int more = _disk.Read(_file, buffer[read..], offset + read);
            if (more == 0) break;
            read += more;
        }

        return read;
    }

    private void CutFile(long end)
    {
        try
        {
            RandomAccess.SetLength(_file, end);
        }
        catch (IOException)
        {
            // What is torn stays; the next frame overwrites it, and a reader cuts it.
        }
    }

    // FileShare.None is flock(2): the kernel lets go of it however the process ends.
    private static SafeFileHandle OpenFile(string path, FileMode mode, bool isAlone) => File.OpenHandle(
        path, mode, FileAccess.ReadWrite, isAlone ? FileShare.None : FileShare.ReadWrite | FileShare.Delete);
}
