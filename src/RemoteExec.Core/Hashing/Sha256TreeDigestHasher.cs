using System.Security.Cryptography;

namespace RemoteExec.Core;

/// <summary>
/// <see cref="Sha256Tree"/> of bytes that come in pieces. A leaf is hashed when it is known not to be the last; hashes of subtrees that are
/// whole wait on a stack, one for each bit of the number of leaves before.
/// </summary>
internal sealed class Sha256TreeDigestHasher() : DigestHasher(DigestFunction.Sha256Tree)
{
    // A blob has at most 2^63 bytes.
    private const int LevelsMax = 63;

    private readonly byte[] _leaf = new byte[Sha256Tree.LeafBytes];
    private readonly byte[] _subtrees = new byte[(LevelsMax + 1) * Sha256Tree.HashBytes];
    private int _leafBytes;
    private int _subtreeCount;
    private long _leaves;

    private protected override void AppendCore(ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty)
        {
            if (_leafBytes == Sha256Tree.LeafBytes)
            {
                Push(_leaf);
                _leafBytes = 0;
            }

            // Straight from what came, where there is more behind it.
            while (_leafBytes == 0 && data.Length > Sha256Tree.LeafBytes)
            {
                Push(data[..Sha256Tree.LeafBytes]);
                data = data[Sha256Tree.LeafBytes..];
            }

            int taken = Math.Min(data.Length, Sha256Tree.LeafBytes - _leafBytes);
            data[..taken].CopyTo(_leaf.AsSpan(_leafBytes));
            _leafBytes += taken;
            data = data[taken..];
        }
    }

    private protected override void FinishCore(Span<byte> hash)
    {
        PushHashOf(_leaf.AsSpan(0, _leafBytes));
        while (_subtreeCount > 1) Merge();
        Top.CopyTo(hash);
        (_leafBytes, _subtreeCount, _leaves) = (0, 0, 0);
    }

    private protected override void DisposeCore()
    {
    }

    private Span<byte> Top => _subtrees.AsSpan((_subtreeCount - 1) * Sha256Tree.HashBytes, Sha256Tree.HashBytes);

    private void Push(ReadOnlySpan<byte> leaf)
    {
        PushHashOf(leaf);
        for (long pairs = ++_leaves; (pairs & 1) == 0; pairs >>= 1) Merge();
    }

    private void PushHashOf(ReadOnlySpan<byte> leaf)
    {
        _subtreeCount++;
        SHA256.HashData(leaf, Top);
    }

    private void Merge()
    {
        var both = _subtrees.AsSpan((_subtreeCount - 2) * Sha256Tree.HashBytes, 2 * Sha256Tree.HashBytes);
        Sha256Tree.Combine(both, both);
        _subtreeCount--;
    }
}
