using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// The bytes of a use log: a <see cref="FramedLog"/> without markers, whose bodies are
/// <code>
/// first frame: the kernel's boot id, or as many zeros when some use is not in the log; closing frame: one byte 0xFF
/// second frame: one byte 0xFE | wall clock, Unix ms (8) | the clock of uses, Unix ms (8) | monotonic clock, ms (8)
/// third frame: one byte 0xFD | claims:  segment (4) | checksum of its footer (4) | bytes of its dead (8) | living bytes (8)
/// then: one byte 0xFC, or 0xFB where each is told for the first time | records, each followed by  segment (4) | offset (4)
/// else records:  function (1) | hash | size (8) | use, Unix ms (8)        all little-endian
/// </code>
/// The second frame says how old a use is, whatever was done to the wall clock since; in a log without it uses are by the wall clock. Places
/// (zeros are none) are in logs of stores that have full segments, and right in those that are still what the third frame says.
/// </summary>
internal static class UseRecords
{
    public const int BytesMax = 1 + DigestFunctions.HashBytesMax + 16;

    public static readonly FrameFormat Frames = new() { BodyBytesMax = 64 << 20 };

    // With a hash of 32 bytes.
    private const int UsualBytes = 49;

    private const byte ClosingMark = 0xFF;
    private const byte ClockMark = 0xFE;
    private const byte ClaimMark = 0xFD;
    private const byte PlacedMark = 0xFC;
    private const byte NewlyPlacedMark = 0xFB;
    private const int ClockBytes = 1 + (3 * sizeof(long));
    private const int ClaimBytes = 24;
    private const int PlaceBytes = 8;

    public static byte[] ThisBoot { get; } = FrameOf(BootId());

    /// <summary>As long as <see cref="ThisBoot"/>, to be written over it.</summary>
    public static byte[] NoBoot { get; } = FrameOf([.. BootId().Select(_ => (byte)'0')]);

    public static byte[] Closing { get; } = FrameOf([ClosingMark]);

    /// <summary>A log of so many uses, one for each blob, takes about this.</summary>
    public static long LengthOf(int uses) => (long)uses * UsualBytes;

    public static byte[] FrameOf(in ClockReading clock)
    {
        Span<byte> body = stackalloc byte[ClockBytes];
        body[0] = ClockMark;
        BinaryPrimitives.WriteInt64LittleEndian(body[1..], clock.WallMs);
        BinaryPrimitives.WriteInt64LittleEndian(body[9..], clock.SteadyMs);
        BinaryPrimitives.WriteInt64LittleEndian(body[17..], clock.MonotonicMs);
        return FrameOf(body);
    }

    public static byte[] FrameOf(IReadOnlyCollection<SegmentClaim> claims)
    {
        byte[] body = new byte[1 + (claims.Count * ClaimBytes)];
        body[0] = ClaimMark;
        var rest = body.AsSpan(1);
        foreach (var claim in claims)
        {
            BinaryPrimitives.WriteInt32LittleEndian(rest, claim.Segment);
            BinaryPrimitives.WriteUInt32LittleEndian(rest[4..], claim.FooterChecksum);
            BinaryPrimitives.WriteInt64LittleEndian(rest[8..], claim.DeadBytes);
            BinaryPrimitives.WriteInt64LittleEndian(rest[16..], claim.LivingBytes);
            rest = rest[ClaimBytes..];
        }

        return FrameOf(body);
    }

    /// <summary>A whole frame's worth of them, with their places.</summary>
    public static void WritePlaced(FrameBuffer frame, UseSlice uses)
    {
        frame.GetSpan(1)[0] = uses.AreNew ? NewlyPlacedMark : PlacedMark;
        frame.Advance(1);
        foreach (var use in uses)
        {
            Write(frame, use);
            var place = frame.GetSpan(PlaceBytes);
            BinaryPrimitives.WriteInt32LittleEndian(place, use.Place.Segment);
            BinaryPrimitives.WriteInt32LittleEndian(place[4..], use.Place.Offset);
            frame.Advance(PlaceBytes);
        }
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
            bool isExpected = false;
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
                else if (body is [ClaimMark, ..] && body.Length % ClaimBytes == 1)
                {
                    uses.Claim(ClaimsOf(body[1..]));
                }
                else if (!isClosed)
                {
                    bool isPlaced = body is [PlacedMark or NewlyPlacedMark, ..];
                    if (!isExpected) uses.Expect(log.LengthBytes / (UsualBytes + (isPlaced ? PlaceBytes : 0)));
                    isExpected = true;
                    isWhole &= isPlaced ? TryReadPlaced(body, uses) : TryRead(body, group);
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // a log is one of some long bodies
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool TryReadPlaced(ReadOnlySpan<byte> body, IUseTaker uses)
    {
        bool areNew = body[0] == NewlyPlacedMark;
        var slice = new BlobUse[Math.Min(BlobIndex.EntriesPerHold, body.Length / PlaceBytes)];
        int count = 0;
        for (body = body[1..]; body.Length > 0;)
        {
            if (!DigestFunctions.TryFromNumber(body[0], out var function)) return false;
            int hashBytes = function.HashBytes();
            if (body.Length < 17 + hashBytes + PlaceBytes) return false;

            long sizeBytes = BinaryPrimitives.ReadInt64LittleEndian(body[(1 + hashBytes)..]);
            var place = new BlobPlace(BinaryPrimitives.ReadInt32LittleEndian(body[(17 + hashBytes)..]), BinaryPrimitives.ReadInt32LittleEndian(body[(21 + hashBytes)..]));
            if (sizeBytes < 0 || place.Segment < 0 || place.Offset < 0) return false;

            var digest = Digest.FromHash(function, body.Slice(1, hashBytes), sizeBytes);
            slice[count++] = new BlobUse(digest, BinaryPrimitives.ReadInt64LittleEndian(body[(9 + hashBytes)..])) { Place = place };
            if (count == slice.Length)
            {
                uses.Remember(slice, areNew);
                count = 0;
            }

            body = body[(17 + hashBytes + PlaceBytes)..];
        }

        uses.Remember(slice.AsSpan(0, count), areNew);
        return true;
    }

    private static SegmentClaim[] ClaimsOf(ReadOnlySpan<byte> body)
    {
        var claims = new SegmentClaim[body.Length / ClaimBytes];
        for (int i = 0; i < claims.Length; i++, body = body[ClaimBytes..])
        {
            claims[i] = new SegmentClaim(
                BinaryPrimitives.ReadInt32LittleEndian(body),
                BinaryPrimitives.ReadUInt32LittleEndian(body[4..]),
                BinaryPrimitives.ReadInt64LittleEndian(body[8..]),
                BinaryPrimitives.ReadInt64LittleEndian(body[16..]));
        }

        return claims;
    }

    private static byte[] FrameOf(ReadOnlySpan<byte> body)
    {
        byte[] frame = [.. new byte[Frames.HeadBytes], .. body];
        Frames.Seal(frame);
        return frame;
    }

    private static byte[] BootId() => Encoding.ASCII.GetBytes(File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim());

    /// <summary>So many as an index takes at once.</summary>
    private sealed class UseGroup(IUseTaker uses)
    {
        private readonly Digest[] _digests = new Digest[BlobIndex.EntriesPerHold];
        private readonly long[] _usesMs = new long[BlobIndex.EntriesPerHold];
        private int _count;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
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
