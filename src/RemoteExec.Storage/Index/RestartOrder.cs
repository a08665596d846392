using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace RemoteExec.Storage;

/// <summary>Puts all slots in the order of their last uses, ten million in half a second.</summary>
/// <remarks>
/// Into buckets of time first, a step of whose order is all that is left to sort; uses are of whole seconds mostly, and then it is none. Comparing
/// all with all takes five times as long, and room for keys beside.
/// </remarks>
internal sealed class RestartOrder(BlobSlots slots)
{
    private const int BucketsMax = 1 << 20;

    /// <summary>So long before a slot is read its memory is asked for.</summary>
    public const int Ahead = 16;

    private long _oldestMs = long.MaxValue;
    private long _newestMs = long.MinValue;

    /// <summary>Some slot has this use; to be told of all.</summary>
    public void Expect(long useMs) => (_oldestMs, _newestMs) = (Math.Min(_oldestMs, useMs), Math.Max(_newestMs, useMs));

    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // runs once
    public int[] Sort()
    {
        if (slots.Count == 0) return [];

        int most = (int)Math.Clamp(BitOperations.RoundUpToPowerOf2((uint)slots.Count), 16, BucketsMax);
        int shift = 0;
        while ((_newestMs - _oldestMs) >> shift >= most) shift++;

        // Where each bucket begins, and once all are in it, where it ends.
        int[] bounds = new int[((_newestMs - _oldestMs) >> shift) + 2];
        for (int number = 0; number < slots.End; number++)
        {
            ref var slot = ref slots[number];
            if (!slot.IsFree) bounds[((slot.UseMs - _oldestMs) >> shift) + 1]++;
        }

        for (int i = 1; i < bounds.Length; i++) bounds[i] += bounds[i - 1];
        int[] numbers = new int[slots.Count];
        for (int number = 0; number < slots.End; number++)
        {
            ref var slot = ref slots[number];
            if (!slot.IsFree) numbers[bounds[(slot.UseMs - _oldestMs) >> shift]++] = number;
        }

        for (int start = 0, bucket = 0; start < numbers.Length; start = bounds[bucket++])
            if (shift > 0) Sort(numbers.AsSpan(start..bounds[bucket]));
        return numbers;
    }

    private void Sort(Span<int> numbers)
    {
        if (numbers.Length < 2) return;

        long[] lent = ArrayPool<long>.Shared.Rent(numbers.Length);
        var uses = lent.AsSpan(0, numbers.Length);
        bool isSorted = true;
        for (int i = 0; i < numbers.Length; i++)
        {
            if (i + Ahead < numbers.Length) slots.Prefetch(numbers[i + Ahead]);
            uses[i] = slots[numbers[i]].UseMs;
            isSorted &= i == 0 || uses[i - 1] <= uses[i];
        }

        if (!isSorted) uses.Sort(numbers);
        ArrayPool<long>.Shared.Return(lent);
    }
}
