using System.Buffers.Binary;
using System.Text;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// The bytes of a use log: a <see cref="FramedLog"/> without markers, whose bodies are
/// <code>
/// first frame: the kernel's boot id, or as many zeros when some use is not in the log; closing frame: one byte 0xFF
/// second frame: one byte 0xFE | wall clock, Unix ms (8) | the clock of uses, Unix ms (8) | monotonic clock, ms (8)
/// else records:  function (1) | hash | size (8) | use, Unix ms (8)        all little-endian
/// </code>
/// The second frame says how old a use is, whatever was done to the wall clock since; in a log without it uses are by the wall clock.
/// </summary>
internal static class UseRecords
{
    public const int BytesMax = 1 + DigestFunctions.HashBytesMax + 16;

    public static readonly FrameFormat Frames = new() { BodyBytesMax = 64 << 20 };

    // With a hash of 32 bytes.
    private const int UsualBytes = 49;

    private const byte ClosingMark = 0xFF;
    private const byte ClockMark = 0xFE;
    private const int ClockBytes = 1 + (3 * sizeof(long));

    public static byte[] ThisBoot { get; } = FrameOf(BootId());

    /// <summary>As long as <see cref="ThisBoot"/>, to be written over it.</summary>
    public static byte[] NoBoot { get; } = FrameOf([.. BootId().Select(_ => (byte)'0')]);

    public static byte[] Closing { get; } = FrameOf([ClosingMark]);

    public static byte[] FrameOf(in ClockReading clock)
    {
        Span<byte> body = stackalloc byte[ClockBytes];
        body[0] = ClockMark;
        BinaryPrimitives.WriteInt64LittleEndian(body[1..], clock.WallMs);
        BinaryPrimitives.WriteInt64LittleEndian(body[9..], clock.SteadyMs);
        BinaryPrimitives.WriteInt64LittleEndian(body[17..], clock.MonotonicMs);
        return FrameOf(body);
    }

    public static void Write(FrameBuffer frame, in BlobUse use)
    {
        var record = frame.GetSpan(BytesMax);
        int hashBytes = use.Digest.HashBytes;
        record[0] = (byte)use.Digest.Function;
        use.Digest.CopyHashTo(record[1..]);
        BinaryPrimitives.WriteInt64LittleEndian(record[(1 + hashBytes)..], use.Digest.SizeBytes);
        BinaryPrimitives.WriteInt64LittleEndian(record[(9 + hashBytes)..], use.UseMs);
        frame.Advance(17 + hashBytes);
    }

    /// <summary>Reads what the last run left; anything unreadable ends the history, and says so.</summary>
    /// <param name="uses">Gets them.</param>
    public static UseHistory Read(string path, IDisk disk, IUseTaker uses)
    {
        var group = new UseGroup(uses);
        bool isWhole = true, isFirst = true, isClosed = false, isThisBoot = false, isKnown = true;
        ClockReading? clock = null;
        long end = 0;
        try
        {
            if (!File.Exists(path)) return new UseHistory(UseLogEnding.Unknown, IsOfThisBoot: false, Clock: null, EndBytes: 0);

            using var log = FramedLog.TryOpen(path, Frames, disk, isAlone: false, out _)!; // without a header every file is one
            uses.Expect(log.LengthBytes / UsualBytes);
            var frames = log.ReadAll();
            while (frames.TryNext(out _, out var frame))
            {
                var body = frame[Frames.HeadBytes..];
                isClosed = body is [ClosingMark];
                if (isFirst)
                {
                    isThisBoot = frame.SequenceEqual(ThisBoot);
                    isKnown = !frame.SequenceEqual(NoBoot);
                }
                else if (body is [ClockMark, ..] && body.Length == ClockBytes)
                {
                    clock = new ClockReading(
                        BinaryPrimitives.ReadInt64LittleEndian(body[1..]),
                        BinaryPrimitives.ReadInt64LittleEndian(body[9..]),
                        BinaryPrimitives.ReadInt64LittleEndian(body[17..]));
                }
                else if (!isClosed)
                {
                    isWhole &= TryRead(body, group);
                }

                isFirst = false;
                if (!isClosed) end = frames.End;
            }

            isWhole &= frames.End == log.LengthBytes;
        }
        catch (IOException unreadable) when (Errno.IsUnreadable(unreadable.HResult))
        {
            isKnown = false;
        }

        // A torn tail of this boot is a record that was being written when the process died: its answer never left.
        var ending = !isKnown ? UseLogEnding.Unknown
            : isClosed && isWhole ? UseLogEnding.Closed
            : isThisBoot ? UseLogEnding.Killed
            : UseLogEnding.Unknown;
        return new UseHistory(ending, isThisBoot && isKnown, clock, end);
    }

    private static bool TryRead(ReadOnlySpan<byte> body, UseGroup group)
    {
        while (body.Length > 0)
        {
            if (!DigestFunctions.TryFromNumber(body[0], out var function)) return false;
            int hashBytes = function.HashBytes();
            if (body.Length < 17 + hashBytes) return false;

            long sizeBytes = BinaryPrimitives.ReadInt64LittleEndian(body[(1 + hashBytes)..]);
            if (sizeBytes < 0) return false;

            group.Add(Digest.FromHash(function, body.Slice(1, hashBytes), sizeBytes), BinaryPrimitives.ReadInt64LittleEndian(body[(9 + hashBytes)..]));
            body = body[(17 + hashBytes)..];
        }

        group.Tell();
        return true;
    }

    private static byte[] FrameOf(ReadOnlySpan<byte> body)
    {
        byte[] frame = [.. new byte[Frames.HeadBytes], .. body];
        Frames.Seal(frame);
        return frame;
    }

    private static byte[] BootId() => Encoding.ASCII.GetBytes(File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim());

    /// <summary>So many as an index looks for at once.</summary>
    private sealed class UseGroup(IUseTaker uses)
    {
        private readonly Digest[] _digests = new Digest[BlobTable.TogetherMax];
        private readonly long[] _usesMs = new long[BlobTable.TogetherMax];
        private int _count;

        public void Add(in Digest digest, long useMs)
        {
            (_digests[_count], _usesMs[_count]) = (digest, useMs);
            if (++_count == _digests.Length) Tell();
        }

        public void Tell()
        {
            if (_count > 0) uses.Remember(_digests.AsSpan(0, _count), _usesMs.AsSpan(0, _count));
            _count = 0;
        }
    }
}
