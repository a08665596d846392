using System.Diagnostics.CodeAnalysis;

namespace RemoteExec.Core;

/// <summary>A cache bounded by the size of what it holds; the least recently used goes first. For any thread.</summary>
public sealed class SizedLru<TKey, TValue>(long sizeMax) where TKey : notnull
{
    private readonly Lock _gate = new();
    private readonly Dictionary<TKey, LinkedListNode<Item>> _items = [];
    private readonly LinkedList<Item> _uses = new(); // first is the oldest
    private long _size;

    public bool TryGet(TKey key, [MaybeNullWhen(false)] out TValue value)
    {
        lock (_gate)
        {
            if (!_items.TryGetValue(key, out var node))
            {
                value = default;
                return false;
            }

            if (node != _uses.Last)
            {
                _uses.Remove(node);
                _uses.AddLast(node);
            }

            value = node.Value.Value;
            return true;
        }
    }

    public void Set(TKey key, TValue value, long size)
    {
        lock (_gate)
        {
            Drop(key);
            if (size > sizeMax) return;

            _items[key] = _uses.AddLast(new Item(key, value, size));
            _size += size;
            while (_size > sizeMax) Drop(_uses.First!.Value.Key);
        }
    }

    public void Remove(TKey key)
    {
        lock (_gate) Drop(key);
    }

    private void Drop(TKey key)
    {
        if (!_items.Remove(key, out var node)) return;
        _uses.Remove(node);
        _size -= node.Value.Size;
    }

    private readonly record struct Item(TKey Key, TValue Value, long Size);
}
