using System.Buffers.Binary;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>One file of the log. Appending is for one thread at a time, reading for any.</summary>
internal sealed class CacheSegment : IDisposable
{
    private readonly SafeFileHandle _file;

    private CacheSegment(string path, SafeFileHandle file, ulong marker, long bytes) =>
        (Path, _file, Marker, Bytes) = (path, file, marker, bytes);

    public string Path { get; }

    public ulong Marker { get; }

    /// <summary>Where the next record goes.</summary>
    public long Bytes { get; private set; }

    /// <summary>What was ever put here, in this order; most of it may be elsewhere or evicted by now.</summary>
    public Queue<CachedResult> Results { get; } = new();

    public static CacheSegment Create(string path)
    {
        ulong marker = BinaryPrimitives.ReadUInt64LittleEndian(RandomNumberGenerator.GetBytes(RecordFormat.MarkerBytes));
        byte[] header = new byte[RecordFormat.SegmentHeaderBytes];
        RecordFormat.WriteSegmentHeader(header, marker);
        var file = OpenFile(path, FileMode.CreateNew);
        try
        {
            RandomAccess.Write(file, header, 0);
            return new CacheSegment(path, file, marker, header.Length);
        }
        catch (IOException)
        {
            file.Dispose();
            File.Delete(path);
            throw;
        }
    }

    /// <summary>Null for a file without a segment's header.</summary>
    public static CacheSegment? TryOpen(string path)
    {
        var file = OpenFile(path, FileMode.Open);
        try
        {
            byte[] header = new byte[RecordFormat.SegmentHeaderBytes];
            if (RandomAccess.Read(file, header, 0) == header.Length && RecordFormat.TryReadSegmentHeader(header, out ulong marker))
                return new CacheSegment(path, file, marker, RandomAccess.GetLength(file));
        }
        catch (IOException)
        {
            file.Dispose();
            throw;
        }

        file.Dispose();
        return null;
    }

    /// <summary>After a failure nothing was appended: the next record overwrites the torn one.</summary>
    public RecordPlace Append(Span<byte> record)
    {
        RecordFormat.Mark(record, Marker);
        RandomAccess.Write(_file, record, Bytes);
        var place = new RecordPlace(this, Bytes, record.Length);
        Bytes += record.Length;
        return place;
    }

    public int Read(long offset, Span<byte> buffer)
    {
        int read = 0;
        while (read < buffer.Length)
        {
            int more = RandomAccess.Read(_file, buffer[read..], offset + read);
            if (more == 0) break;
            read += more;
        }

        return read;
    }

    /// <summary>Takes away what a killed process or a loss of power left behind the last record.</summary>
    public void CutAt(long bytes)
    {
        if (bytes < Bytes) RandomAccess.SetLength(_file, bytes);
        Bytes = bytes;
    }

    /// <summary>A reader's hold: compaction may delete the segment, but what is in it can be read until <see cref="LetGo"/>.</summary>
    public void Hold()
    {
        bool held = false;
        _file.DangerousAddRef(ref held);
    }

    public void LetGo() => _file.DangerousRelease();

    public void Dispose() => _file.Dispose();

    // The data directory is locked as a whole, so this keeps out nobody.
    private static SafeFileHandle OpenFile(string path, FileMode mode) =>
        File.OpenHandle(path, mode, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
}
