using System.Numerics;

namespace RemoteExec.Storage;

/// <summary>
/// What was learnt in one stretch of time: a flat table of keys, and the actions that they point at. No object for any of them, and no
/// order: a generation goes as a whole.
/// </summary>
/// <param name="expected">How many keys it will have, as far as that is known: room for them is made at once.</param>
internal sealed class ProducerGeneration(int expected = 0)
{
    private const int SlotsMin = 64;
    private const int ActionsMin = 16;

    // Values of a slot; above them the number of an action, counted from here.
    private const int Free = 0;
    private const int Forgotten = 1;
    private const int FirstAction = 2;

    private UInt128[] _keys = new UInt128[SlotsFor(expected)];
    private int[] _values = new int[SlotsFor(expected)];
    private Digest[] _actions = new Digest[ActionsMin];
    private int _actionCount;

    /// <summary>Keys in it, also such as only say that something is forgotten.</summary>
    public int Count { get; private set; }

    /// <summary>Keys that were put here, again and again the same ones too: what it may cost is bounded by this.</summary>
    public int Written { get; private set; }

    public void Learn(Digest action, ReadOnlySpan<UInt128> outputs)
    {
        if (_actionCount == _actions.Length) Array.Resize(ref _actions, 2 * _actionCount);
        _actions[_actionCount++] = action;
        foreach (var output in outputs) Set(output, FirstAction + _actionCount - 1);
    }

    /// <summary>From now on nothing is known about it, whatever an older generation says.</summary>
    public void Forget(UInt128 output) => Set(output, Forgotten);

    /// <returns>Whether this generation has something to say: an action, or that nothing is known any more.</returns>
    public bool TryFind(UInt128 output, out Digest? action)
    {
        int value = _values[SlotOf(output)];
        action = value >= FirstAction ? _actions[value - FirstAction] : null;
        return value != Free;
    }

    private static int SlotsFor(int keys) => (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(SlotsMin, (keys * 4L / 3) + 1));

    private void Set(UInt128 output, int value)
    {
        // Three quarters full: beyond that the way to a free slot gets long.
        if ((Count + 1) * 4L > _keys.Length * 3L) Grow();
        int slot = SlotOf(output);
        if (_values[slot] == Free) Count++;
        (_keys[slot], _values[slot]) = (output, value);
        Written++;
    }

    /// <summary>Where it is, or would be. By a hash with a secret of this process: who can choose outputs cannot choose their slots.</summary>
    private int SlotOf(UInt128 output)
    {
        int mask = _keys.Length - 1;
        int slot = output.GetHashCode() & mask;
        while (_values[slot] != Free && _keys[slot] != output) slot = (slot + 1) & mask;
        return slot;
    }

    private void Grow()
    {
        var (keys, values) = (_keys, _values);
        (_keys, _values) = (new UInt128[2 * keys.Length], new int[2 * keys.Length]);
        for (int i = 0; i < keys.Length; i++)
        {
            if (values[i] == Free) continue;
            int slot = SlotOf(keys[i]);
            (_keys[slot], _values[slot]) = (keys[i], values[i]);
        }
    }
}
