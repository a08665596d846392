using System.Runtime.CompilerServices;

namespace RemoteExec.Storage;

/// <summary>Slots in the order of their uses. They come in at the newest end, so the order of uses is that in which they came.</summary>
internal sealed class UseOrder(BlobSlots slots)
{
    private int _newest = BlobSlot.None;
    private int _promised = BlobSlot.None; // the oldest that is not known to be out of its promise

    public int Oldest { get; private set; } = BlobSlot.None;

    /// <summary>Of those whose promise was found to have ended.</summary>
    public long ExpiredBytes { get; private set; }

    /// <summary>So many those are.</summary>
    public int ExpiredCount { get; private set; }

    public bool IsNewest(int number) => number == _newest;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Append(int number)
    {
        ref var slot = ref slots[number];
        (slot.Older, slot.Newer) = (_newest, BlobSlot.None);
        if (_newest < 0) Oldest = number;
        else slots[_newest].Newer = number;
        _newest = number;
        if (_promised < 0) _promised = number;
    }

    public void Unlink(int number)
    {
        ref var slot = ref slots[number];
        if (number == _promised) _promised = slot.Newer;
        if (slot.IsExpired)
        {
            ExpiredBytes -= slots.AccountedBytesOf(number);
            ExpiredCount--;
        }

        slot.IsExpired = false;
        if (slot.Older < 0) Oldest = slot.Newer;
        else slots[slot.Older].Newer = slot.Newer;
        if (slot.Newer < 0) _newest = slot.Older;
        else slots[slot.Newer].Older = slot.Older;
    }

    /// <summary>A blob of it takes more room now, or less.</summary>
    public void Grow(int number, long bytes)
    {
        if (slots[number].IsExpired) ExpiredBytes += bytes;
    }

    /// <summary>Leaves those behind who were not used since <paramref name="endedMs"/>; each is left once after each use. False when there are more.</summary>
    public bool TryExpire(long endedMs)
    {
        for (int i = 0; i < BlobIndex.EntriesPerHold; i++)
        {
            if (_promised < 0) return true;
            ref var slot = ref slots[_promised];
            if (slot.UseMs > endedMs) return true;

            slot.IsExpired = true;
            ExpiredBytes += slots.AccountedBytesOf(_promised);
            ExpiredCount++;
            _promised = slot.Newer;
        }

        return false;
    }
}
