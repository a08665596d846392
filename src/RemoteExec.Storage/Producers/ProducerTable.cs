namespace RemoteExec.Storage;

/// <summary>
/// Which action made an output, for when the output is lost: it can be made again. Learnt from results of this farm's own runs, and from
/// nothing else: a client that brings a result may say what it likes. An answer is a hint; whoever uses it runs the action, in the
/// instance that it was learnt for, and sees what comes.
/// </summary>
/// <remarks>
/// Two generations, each of half the size: the younger is written to, and when it is full the older goes. What is found in the older
/// is taken over. That forgets the longest unused, like a list in the order of use, without links between a million entries.
/// </remarks>
public sealed class ProducerTable : IDisposable
{
    private const int EntriesMin = 16;

    private readonly Lock _gate = new();
    private readonly int _generationMax;
    private readonly ProducerLog? _log;
    private ProducerGeneration _young = new();
    private ProducerGeneration _old = new();

    private ProducerTable(ProducerTableOptions options)
    {
        _generationMax = Math.Max(options.EntriesMax, EntriesMin) / 2;
        if (options.Directory is { } directory) _log = ProducerLog.Open(directory, options.Disk, keys => BeginGeneration((int)Math.Min(keys, _generationMax)), Restore);
    }

    /// <summary>Outputs that are known; one that is in both generations counts twice.</summary>
    public int Count
    {
        get { lock (_gate) return _young.Count + _old.Count; }
    }

    /// <exception cref="StorageDirectoryException">The directory cannot be used, in one sentence for the operator.</exception>
    public static ProducerTable Open(ProducerTableOptions options)
    {
        try
        {
            return new ProducerTable(options);
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            throw new StorageDirectoryException($"The directory of producing actions {options.Directory} cannot be used: {failed.Message}", failed);
        }
    }

    /// <summary>An action has run and made these, among them what is inside of trees. Of very many the first are remembered.</summary>
    public void Learn(InstanceName instance, Digest action, IEnumerable<Digest> outputs)
    {
        // One result does not push out what all others taught.
        UInt128[] keys = [.. outputs.Where(output => !output.IsEmpty).Take(_generationMax / 4).Select(output => ProducerKey.Of(instance, output)).Distinct()];
        if (keys.Length == 0) return;

        lock (_gate)
        {
            if (Array.TrueForAll(keys, key => _young.TryFind(key, out var known) && known == action)) return;
            foreach (var first in keys.Select(key => (Key: key, Action: Peek(key))).Where(known => known.Action is { } other && other != action).GroupBy(known => known.Action!.Value).ToArray())
                LearnFirst(first.Key, [.. first.Select(known => ProducerKey.First(known.Key)).Where(key => Look(key) is null)]);
            MakeRoom(keys.Length);
            _young.Learn(action, keys);
            _log?.Append(action, keys);
        }
    }

    /// <summary>The last action that made this in that instance; null when none is known.</summary>
    public Digest? Find(InstanceName instance, Digest output)
    {
        var key = ProducerKey.Of(instance, output);
        lock (_gate) return Look(key);
    }

    /// <summary>
    /// The first one of several that made this, as far as it is remembered; null when no other than the last is known. For when the last
    /// needs what it makes: whatever copies, packs or installs a file is seen to make it.
    /// </summary>
    public Digest? FindFirst(InstanceName instance, Digest output)
    {
        var key = ProducerKey.First(ProducerKey.Of(instance, output));
        lock (_gate) return Look(key);
    }

    /// <summary>It is not what is made any more, by whichever action.</summary>
    public void Forget(InstanceName instance, Digest output)
    {
        var key = ProducerKey.Of(instance, output);
        lock (_gate)
        {
            MakeRoom(2);
            _young.Forget(key);
            _young.Forget(ProducerKey.First(key));
            _log?.Append(action: null, [key, ProducerKey.First(key)]);
        }
    }

    public void Dispose()
    {
        lock (_gate) _log?.Dispose();
    }

    private Digest? Peek(UInt128 key)
    {
        if (!_young.TryFind(key, out var action)) _old.TryFind(key, out action);
        return action;
    }

    private Digest? Look(UInt128 key)
    {
        if (_young.TryFind(key, out var action)) return action;
        if (!_old.TryFind(key, out action) || action is not { } older) return null;

        MakeRoom(1);
        _young.Learn(older, [key]);
        _log?.Append(older, [key]);
        return older;
    }

    private void LearnFirst(Digest action, UInt128[] keys)
    {
        if (keys.Length == 0) return;
        MakeRoom(keys.Length);
        _young.Learn(action, keys);
        _log?.Append(action, keys);
    }

    private void MakeRoom(int keys)
    {
        if (_young.Written + keys <= _generationMax) return;
        BeginGeneration();
        _log?.Rotate();
    }

    private void BeginGeneration(int expected = 0) => (_old, _young) = (_young, new ProducerGeneration(expected));

    private void Restore(Digest? action, UInt128[] outputs)
    {
        // Of a table that was larger the newest part is kept.
        if (_young.Written + outputs.Length > _generationMax) BeginGeneration();
        if (outputs.Length > _generationMax) return;
        if (action is { } known) _young.Learn(known, outputs);
        else foreach (var output in outputs) _young.Forget(output);
    }
}
