using System.Buffers.Binary;
using System.Text;
using Grpc.Core;
using Microsoft.Win32.SafeHandles;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// Remembers uses across restarts, so that the order of eviction and the promises survive. An append-only file:
/// <code>
/// frame:  payload length (4) | CRC-32C of payload (4) | payload
/// payload of the first frame: the kernel's boot id; of a closing frame: one byte 0xFF
/// else records:  function (1) | hash | size (8) | use, Unix ms (8)        all little-endian
/// </code>
/// Written before an answer leaves, never flushed: a killed process loses nothing, and after a loss of power the boot
/// id differs and every promise is renewed instead.
/// </summary>
internal sealed class UseLog : IUseRecorder, IDisposable
{
    private const int FrameHeaderBytes = 8;
    private const int RecordBytesMax = 1 + DigestFunctions.HashBytesMax + 16;
    private const byte ClosingMark = 0xFF;

    // A frame that claims more was never written by us.
    private const int FrameBytesMax = 64 << 20;
    private const int BufferedBytesMax = 1 << 20;

    // Rewritten when the appended part outweighs the living part by this much.
    private const long CompactionSlackBytes = 16 << 20;

    private readonly string _path;
    private readonly Lock _gate = new();
    private SafeFileHandle _file;
    private byte[] _buffer = new byte[4096];
    private int _buffered = FrameHeaderBytes;
    private long _fileBytes;
    private long _compactedBytes;

    private UseLog(string path, SafeFileHandle file)
    {
        _path = path;
        _file = file;
    }

    /// <summary>More was appended than a fresh log would hold: call <see cref="TryRewrite"/>.</summary>
    public bool WantsRewrite
    {
        get { lock (_gate) return _fileBytes > 4 * _compactedBytes + CompactionSlackBytes; }
    }

    /// <summary>Reads what the last run left; anything unreadable ends the history, and says so.</summary>
    public static UseHistory Read(string path)
    {
        var uses = new Dictionary<Digest, long>();
        if (!File.Exists(path)) return new UseHistory(uses, UseLogEnding.Unknown);

        byte[] log = File.ReadAllBytes(path);
        bool isWhole = true, isClosed = false, isFirst = true, isThisBoot = false;
        for (int at = 0; at < log.Length;)
        {
            var rest = log.AsSpan(at);
            if (!TryReadFrame(rest, out var payload))
            {
                isWhole = false;
                break;
            }

            if (isFirst) isThisBoot = payload.SequenceEqual(BootId());
            else if (payload is [ClosingMark]) isClosed = true;
            else if (!TryReadRecords(payload, uses)) isWhole = false;
            isFirst = false;
            at += FrameHeaderBytes + payload.Length;
        }

        // A torn tail of this boot is a record that was being written when the process died: its answer never left.
        var ending = isClosed && isWhole ? UseLogEnding.Closed : isThisBoot ? UseLogEnding.Killed : UseLogEnding.Unknown;
        return new UseHistory(uses, ending);
    }

    /// <summary>Begins a new log with what <paramref name="index"/> knows, replacing the old one.</summary>
    public static UseLog Create(string path)
    {
        var log = new UseLog(path, OpenFresh(path));
        log.WriteFrame(BootId());
        File.Move(path + ".new", path, overwrite: true);
        return log;
    }

    public void Record(in Digest digest, long useMs)
    {
        lock (_gate)
        {
            if (_buffered + RecordBytesMax > _buffer.Length)
            {
                if (_buffer.Length >= BufferedBytesMax) WriteBuffered();
                else Array.Resize(ref _buffer, _buffer.Length * 4);
            }

            var record = _buffer.AsSpan(_buffered);
            record[0] = (byte)digest.Function;
            digest.CopyHashTo(record[1..]);
            int hashBytes = digest.HashBytes;
            BinaryPrimitives.WriteInt64LittleEndian(record[(1 + hashBytes)..], digest.SizeBytes);
            BinaryPrimitives.WriteInt64LittleEndian(record[(9 + hashBytes)..], useMs);
            _buffered += 17 + hashBytes;
        }
    }

    /// <summary>Hands everything recorded to the kernel. Returns after the records of other threads that were before us, too.</summary>
    public void Flush()
    {
        lock (_gate) WriteBuffered();
    }

    /// <summary>
    /// Replaces the log by one that holds each living blob once. False when the disk has no room for it: then the old one goes on.
    /// </summary>
    /// <remarks>Locks the index, then the log: the order of recording.</remarks>
    public bool TryRewrite(BlobIndex index)
    {
        lock (index.Gate)
        lock (_gate)
        {
            var (oldFile, oldBytes) = (_file, _fileBytes);
            try
            {
                WriteBuffered();
                (_file, _fileBytes) = (OpenFresh(_path), 0);
                WriteFrame(BootId());
                index.RecordAll(this);
                WriteBuffered();
                File.Move(_path + ".new", _path, overwrite: true);
            }
            catch (Exception failed) when (failed is IOException or RpcException)
            {
                if (_file != oldFile) _file.Dispose();
                (_file, _fileBytes) = (oldFile, oldBytes);
                _buffered = FrameHeaderBytes;
                _compactedBytes = oldBytes; // not again before it has grown a good deal
                return false;
            }

            oldFile.Dispose();
            _compactedBytes = _fileBytes;
            return true;
        }
    }

    /// <summary>Ends the log in order: the next run trusts it to the millisecond. On a full disk it trusts it as after a kill.</summary>
    public void Close(BlobIndex index)
    {
        if (!TryRewrite(index)) return;
        lock (_gate)
        {
            try
            {
                WriteFrame([ClosingMark]);
            }
            catch (RpcException)
            {
                return; // without its mark the log says just that
            }

            _ = Posix.Flush(_file); // after a failure the boot id still tells the next run how far to trust
        }
    }

    public void Dispose() => _file.Dispose();

    private static SafeFileHandle OpenFresh(string path) =>
        File.OpenHandle(path + ".new", FileMode.Create, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);

    private static bool TryReadFrame(ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> payload)
    {
        payload = default;
        if (rest.Length < FrameHeaderBytes) return false;

        int length = BinaryPrimitives.ReadInt32LittleEndian(rest);
        if (length is <= 0 or > FrameBytesMax || length > rest.Length - FrameHeaderBytes) return false;

        payload = rest.Slice(FrameHeaderBytes, length);
        return Checksum(payload) == BinaryPrimitives.ReadUInt32LittleEndian(rest[4..]);
    }

    private static bool TryReadRecords(ReadOnlySpan<byte> payload, Dictionary<Digest, long> uses)
    {
        while (payload.Length > 0)
        {
            if (!DigestFunctions.TryFromNumber(payload[0], out var function)) return false;
            int hashBytes = function.HashBytes();
            if (payload.Length < 17 + hashBytes) return false;

            long sizeBytes = BinaryPrimitives.ReadInt64LittleEndian(payload[(1 + hashBytes)..]);
            if (sizeBytes < 0) return false;
            uses[Digest.FromHash(function, payload.Slice(1, hashBytes), sizeBytes)] =
                BinaryPrimitives.ReadInt64LittleEndian(payload[(9 + hashBytes)..]);
            payload = payload[(17 + hashBytes)..];
        }

        return true;
    }

    private static uint Checksum(ReadOnlySpan<byte> data) => Crc32C.Of(data);

    private static byte[] BootId() => Encoding.ASCII.GetBytes(File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim());

    private void WriteBuffered()
    {
        int payloadBytes = _buffered - FrameHeaderBytes;
        if (payloadBytes == 0) return;

        var frame = _buffer.AsSpan(0, _buffered);
        BinaryPrimitives.WriteInt32LittleEndian(frame, payloadBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[4..], Checksum(frame[FrameHeaderBytes..]));
        _buffered = FrameHeaderBytes;
        Write(frame);
    }

    private void WriteFrame(ReadOnlySpan<byte> payload)
    {
        Span<byte> frame = stackalloc byte[FrameHeaderBytes + 64];
        BinaryPrimitives.WriteInt32LittleEndian(frame, payload.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[4..], Checksum(payload));
        payload.CopyTo(frame[FrameHeaderBytes..]);
        Write(frame[..(FrameHeaderBytes + payload.Length)]);
    }

    private void Write(ReadOnlySpan<byte> frame)
    {
        try
        {
            RandomAccess.Write(_file, frame, _fileBytes);
            _fileBytes += frame.Length;
        }
        catch (IOException full)
        {
            // The next frame overwrites the torn one. The answer must not leave: its promise would not survive us.
            throw StorageErrors.FromErrno(full.HResult, "recording a use", _path);
        }
    }
}
