using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using Microsoft.Win32.SafeHandles;
using RemoteExec.Files;

namespace RemoteExec.Scheduling.Local;

/// <summary>
/// One file of frames. Exactly one is live: it begins with the whole state as of its making, gets its name only when
/// that is durable, and supersedes those with lower numbers.
/// </summary>
internal sealed class Segment : IDisposable
{
    private const string Prefix = "journal-";
    private const string Suffix = ".log";
    private const string UnfinishedSuffix = ".tmp";

    // How much of a damaged file is searched at a time.
    private const int SearchBytes = 1 << 20;

    private readonly SafeFileHandle _file;
    private readonly ulong _marker;

    private Segment(string path, long number, SafeFileHandle file, ulong marker, long lengthBytes)
    {
        Path = path;
        Number = number;
        _file = file;
        _marker = marker;
        LengthBytes = lengthBytes;
    }

    public string Path { get; }

    public long Number { get; }

    public long LengthBytes { get; private set; }

    /// <summary>Writes a segment that begins with <paramref name="payloads"/> and gives it its name, durably.</summary>
    public static Segment Create(string directory, long number, IEnumerable<ReadOnlyMemory<byte>> payloads)
    {
        string path = System.IO.Path.Combine(directory, Prefix + number.ToString("d12", CultureInfo.InvariantCulture) + Suffix);
        string unfinished = path + UnfinishedSuffix;
        ulong marker = (ulong)Random.Shared.NextInt64();
        var file = File.OpenHandle(unfinished, FileMode.Create, FileAccess.ReadWrite, FileShare.None);
        var segment = new Segment(path, number, file, marker, SegmentFormat.HeaderBytes);
        try
        {
            Span<byte> header = stackalloc byte[SegmentFormat.HeaderBytes];
            SegmentFormat.WriteHeader(header, marker);
            RandomAccess.Write(file, header, 0);
            foreach (var payload in payloads) segment.Write(payload);
            segment.Flush();
            File.Move(unfinished, path, overwrite: false);
            DurableDirectory.Flush(new Disk(), directory);
            return segment;
        }
        catch
        {
            segment.Dispose();
            // On a full disk it would keep the room that is missing.
            File.Delete(unfinished);
            throw;
        }
    }

    /// <summary>The live segment with its records; null when there is none. Superseded and unfinished files are removed.</summary>
    public static Segment? Recover(string directory, ICollection<JournalRecord> records, out long tornBytes)
    {
        tornBytes = 0;
        var numbered = Directory.GetFiles(directory, Prefix + "*" + Suffix)
            .Select(path => (Path: path, Number: NumberOf(path)))
            .Where(file => file.Number >= 0)
            .OrderBy(file => file.Number)
            .ToArray();
        if (numbered.Length == 0) return null;

        var (live, number) = numbered[^1];
        var segment = Open(live, number);
        try
        {
            segment.ReadFrames(records, out tornBytes);
        }
        catch
        {
            segment.Dispose();
            throw;
        }

        // Only now that the live one is open, which nobody else can have open: these are leftovers, not another's work.
        foreach (var (superseded, _) in numbered[..^1]) File.Delete(superseded);
        foreach (string unfinished in Directory.GetFiles(directory, Prefix + "*" + UnfinishedSuffix)) File.Delete(unfinished);
        return segment;
    }

    /// <summary>Adds one frame, not yet durable.</summary>
    public void Write(ReadOnlyMemory<byte> payload)
    {
        byte[] header = new byte[SegmentFormat.FrameHeaderBytes];
        SegmentFormat.WriteFrameHeader(header, _marker, payload.Span);
        RandomAccess.Write(_file, [header, payload], LengthBytes);
        LengthBytes += header.Length + payload.Length;
    }

    /// <exception cref="JournalException">Whatever went wrong, a full disk included: an fsync is not tried twice.</exception>
    public void Flush()
    {
        try
        {
            RandomAccess.FlushToDisk(_file);
        }
        catch (IOException failed)
        {
            throw new JournalException($"fsync of {Path} failed: {failed.Message}", failed);
        }
    }

    public void Dispose() => _file.Dispose();

    private static long NumberOf(string path)
    {
        var name = System.IO.Path.GetFileName(path.AsSpan())[Prefix.Length..^Suffix.Length];
        return long.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : -1;
    }

    private static Segment Open(string path, long number)
    {
        var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        byte[] header = new byte[SegmentFormat.HeaderBytes];
        int read = RandomAccess.Read(file, header, 0);
        if (SegmentFormat.TryReadHeader(header.AsSpan(0, read), out ulong marker, out string? error))
            return new Segment(path, number, file, marker, SegmentFormat.HeaderBytes);

        // A file gets its name only after its header is durable, so this is not a crash.
        file.Dispose();
        throw Damaged($"{path} is not an operation journal: it {error}");
    }

    private void ReadFrames(ICollection<JournalRecord> records, out long tornBytes)
    {
        long fileBytes = RandomAccess.GetLength(_file);
        byte[] header = new byte[SegmentFormat.FrameHeaderBytes];
        byte[] buffer = [];
        while (TryReadFrame(LengthBytes, fileBytes, header, ref buffer, out int length))
        {
            JournalCodec.ReadAll(buffer.AsSpan(0, length), records);
            LengthBytes += header.Length + length;
        }

        tornBytes = fileBytes - LengthBytes;
        if (tornBytes == 0) return;

        // Only the last frame can be torn: the next one is written after it is durable. Something intact behind means
        // that the disk, or somebody, changed what we had been promised.
        if (FindFrame(LengthBytes + 1, fileBytes, header, ref buffer) is { } intact)
            throw Damaged($"{Path} is damaged from byte {LengthBytes} to {intact}");

        RandomAccess.SetLength(_file, LengthBytes);
        Flush();
    }

    private bool TryReadFrame(long offset, long fileBytes, byte[] header, ref byte[] buffer, out int length)
    {
        length = -1;
        if (fileBytes - offset < header.Length) return false;

        ReadExactly(header, offset);
        length = SegmentFormat.ReadFrameLength(header, _marker);
        if (length < 0 || length > fileBytes - offset - header.Length) return false;

        if (buffer.Length < length) buffer = new byte[RoundUp(length)];
        ReadExactly(buffer.AsSpan(0, length), offset + header.Length);
        return SegmentFormat.IsIntact(header, buffer.AsSpan(0, length));
    }

    private long? FindFrame(long offset, long fileBytes, byte[] header, ref byte[] buffer)
    {
        Span<byte> marker = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(marker, _marker);
        byte[] chunk = ArrayPool<byte>.Shared.Rent(SearchBytes);
        try
        {
            while (fileBytes - offset >= header.Length)
            {
                int read = RandomAccess.Read(_file, chunk, offset);
                int at = chunk.AsSpan(0, read).IndexOf(marker);
                if (at < 0)
                {
                    // A marker may straddle the border.
                    offset += Math.Max(1, read - sizeof(ulong) + 1);
                    continue;
                }

                if (TryReadFrame(offset + at, fileBytes, header, ref buffer, out _)) return offset + at;
                offset += at + 1;
            }

            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(chunk);
        }
    }

    private void ReadExactly(Span<byte> destination, long offset)
    {
        while (!destination.IsEmpty)
        {
            int read = RandomAccess.Read(_file, destination, offset);
            if (read == 0) throw Damaged($"{Path} became shorter while it was read");
            destination = destination[read..];
            offset += read;
        }
    }

    private static int RoundUp(int length) =>
        (int)Math.Min(BitOperations.RoundUpToPowerOf2((uint)length), (uint)Array.MaxLength);

    private static JournalException Damaged(string what) => new(
        $"{what}. Restore it from a copy, or move it away to start with an empty queue: clients will ask again for what they still need");
}
