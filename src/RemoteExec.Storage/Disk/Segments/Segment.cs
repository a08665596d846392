using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>One segment's file, and how much of it still counts.</summary>
/// <remarks>
/// A record lives from its append until its blob is evicted, put elsewhere, or safe in a file of its own. The dead are noted in a file beside
/// (<c>N.dead</c>, offsets of four bytes), unflushed: what a loss of power takes of it brings a blob back that was evicted, which harms nobody.
/// One thread appends; what is told about records may come from any.
/// </remarks>
internal sealed class Segment(int number, SafeFileHandle file, string deadPath, int end) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Lock _noteGate = new(); // over the file beside: whoever is told of the dead has the index's lock, and must not wait for the disk
    private readonly List<int> _unnoted = []; // dead, and not in the file yet
    private readonly Queue<SegmentRecord> _fileless = new();
    private readonly List<SegmentRecord> _moved = [];
    private long _livingBytes;
    private long _livingDataBytes;
    private bool _isGone;
    private uint _footerChecksum;
    private volatile bool _isFull;

    public int Number => number;

    public SafeFileHandle File => file;

    /// <summary>Behind the last record: where the next goes.</summary>
    public int End { get; private set; } = end;

    /// <summary>The records of an open segment, for its footer.</summary>
    public List<SegmentRecord> Records { get; private set; } = [];

    /// <summary>Nothing is appended any more.</summary>
    public bool IsFull => _isFull;

    /// <summary>Of its bytes, what would have to be copied to do without it.</summary>
    public long LivingBytes
    {
        get { lock (_gate) return _livingBytes; }
    }

    /// <summary>The sizes of the blobs that are here and nowhere else.</summary>
    public long LivingDataBytes
    {
        get { lock (_gate) return _livingDataBytes; }
    }

    /// <summary>Less than half of it counts, or nothing at all.</summary>
    public bool IsSparse
    {
        get
        {
            lock (_gate) return _isFull && _fileless.Count == 0 && _moved.Count == 0 && _livingBytes * 2 < End - SegmentFormat.HeaderBytes;
        }
    }

    /// <summary>Its records that are files now could go, if only these were flushed.</summary>
    public bool WantsFlush
    {
        get
        {
            lock (_gate) return _isFull && _fileless.Count == 0 && _moved.Count > 0;
        }
    }

    /// <summary>Counts records that were written behind the others.</summary>
    public void Append(ReadOnlySpan<SegmentRecord> records)
    {
        Records.AddRange(records);
        End = records[^1].End;
        lock (_gate)
        {
            foreach (var record in records) Live(record);
        }
    }

    /// <summary>Counts what an earlier run left, as its log says.</summary>
    public void Restore(SegmentTally tally)
    {
        lock (_gate) (_livingBytes, _livingDataBytes) = (tally.LivingBytes, tally.DataBytes);
    }

    /// <summary>Counts records that a restart found.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Restore(ReadOnlySpan<SegmentRecord> records)
    {
        lock (_gate)
        {
            foreach (ref readonly var record in records) Live(record);
        }
    }

    /// <summary>So much was found, by a run that goes on appending.</summary>
    public void Continue(List<SegmentRecord> records, int end) => (Records, End) = (records, end);

    /// <param name="footerChecksum">0 when it has no footer.</param>
    public void Fill(uint footerChecksum)
    {
        Records = [];
        _footerChecksum = footerChecksum;
        _isFull = true;
    }

    /// <summary>What a log of uses may say of it; null while it is not full, and while records wait for files or stand in for them.</summary>
    public SegmentClaim? Claim()
    {
        if (!_isFull || _footerChecksum == 0) return null;

        // In this order: who dies in between is noted later, and the claim does not hold.
        long deadBytes = LengthOf(deadPath);
        lock (_gate) return _fileless.Count > 0 || _moved.Count > 0 ? null : new SegmentClaim(Number, _footerChecksum, deadBytes, _livingBytes);
    }

    /// <summary>How much is noted of the dead.</summary>
    public static long LengthOf(string deadPath) => new FileInfo(deadPath) is { Exists: true, Length: var length } ? length : 0;

    /// <summary>The blob is evicted, or elsewhere for good.</summary>
    public void Die(in SegmentRecord record)
    {
        lock (_gate)
        {
            _livingBytes -= record.LengthBytes;
            _livingDataBytes -= record.Digest.SizeBytes;
            _unnoted.Add(record.Offset);
        }
    }

    /// <summary>The blob is to get a file of its own.</summary>
    public void WantFile(in SegmentRecord record)
    {
        lock (_gate) _fileless.Enqueue(record);
    }

    public bool TryTakeFileless(out SegmentRecord record)
    {
        lock (_gate) return _fileless.TryDequeue(out record);
    }

    /// <summary>The blob is a file now, which is not flushed yet: until then the record stands in for it.</summary>
    public void Move(in SegmentRecord record)
    {
        lock (_gate)
        {
            _moved.Add(record);
            _livingDataBytes -= record.Digest.SizeBytes;
        }
    }

    public List<SegmentRecord> Moved
    {
        get { lock (_gate) return [.. _moved]; }
    }

    public int MovedCount
    {
        get { lock (_gate) return _moved.Count; }
    }

    /// <summary>The first <paramref name="count"/> that moved are flushed.</summary>
    public void ForgetMoved(int count)
    {
        lock (_gate)
        {
            for (int i = 0; i < count; i++)
            {
                _livingBytes -= _moved[i].LengthBytes;
                _unnoted.Add(_moved[i].Offset);
            }

            _moved.RemoveRange(0, count);
        }
    }

    /// <summary>Those that moved, and that nobody stands in for any more. False when there are none.</summary>
    public bool ForgetMoved(Predicate<SegmentRecord> isOver)
    {
        lock (_gate)
        {
            int forgotten = _moved.RemoveAll(record =>
            {
                if (!isOver(record)) return false;
                _livingBytes -= record.LengthBytes;
                _unnoted.Add(record.Offset);
                return true;
            });
            return forgotten > 0;
        }
    }

    /// <summary>There are dead that are not in the file beside, nor on their way.</summary>
    public bool HasUnnoted
    {
        get { lock (_gate) return _unnoted.Count > 0; }
    }

    /// <summary>Notes the dead in the file beside. Null, or why the disk did not take them: then it gets them with the next.</summary>
    public Exception? NoteDead()
    {
        lock (_noteGate)
        {
            if (_isGone) return null;
            int[] unnoted;
            lock (_gate)
            {
                if (_unnoted.Count == 0) return null;
                unnoted = [.. _unnoted];
                _unnoted.Clear();
            }

            bool isNoted = false;
            try
            {
                // Opened each time: a store has many segments, and its descriptors are for others.
                using var dead = System.IO.File.OpenHandle(deadPath, FileMode.OpenOrCreate, FileAccess.Write);
                RandomAccess.Write(dead, MemoryMarshal.AsBytes(unnoted.AsSpan()), RandomAccess.GetLength(dead) & ~3L);
                isNoted = true;
                return null;
            }
            catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
            {
                // A restart without them finds blobs that were evicted, and evicts them again.
                return refused;
            }
            finally
            {
                if (!isNoted)
                {
                    lock (_gate) _unnoted.AddRange(unnoted);
                }
            }
        }
    }

    /// <summary>The offsets that earlier runs noted. False where the disk does not tell them all.</summary>
    public static bool TryReadDead(string deadPath, IDisk disk, out HashSet<int> offsets)
    {
        offsets = [];
        if (!System.IO.File.Exists(deadPath)) return true;

        try
        {
            using var dead = System.IO.File.OpenHandle(deadPath);
            byte[] bytes = new byte[RandomAccess.GetLength(dead)];
            int filled = 0;
            for (int read = 1; read > 0 && filled < bytes.Length; filled += read) read = disk.Read(dead, bytes.AsSpan(filled), filled);
            foreach (int offset in MemoryMarshal.Cast<byte, int>(bytes.AsSpan(0, filled & ~3))) offsets.Add(offset); // the last may be torn
            return true;
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            // Blobs that were evicted are evicted again; the store opens.
            return false;
        }
    }

    /// <summary>Takes its files away; who reads from it at this moment does so to the end.</summary>
    public void Delete(string path)
    {
        lock (_noteGate) _isGone = true; // nobody makes the file beside anew
        // In this order: should the run end in between, all that is lost is that some records are dead.
        try
        {
            System.IO.File.Delete(deadPath);
            System.IO.File.Delete(path);
        }
        finally
        {
            file.Dispose();
        }
    }

    public void Dispose() => file.Dispose();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Live(in SegmentRecord record)
    {
        _livingBytes += record.LengthBytes;
        _livingDataBytes += record.Digest.SizeBytes;
    }
}
