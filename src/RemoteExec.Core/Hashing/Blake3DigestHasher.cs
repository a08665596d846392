using Blake3;

namespace RemoteExec.Core;

/// <summary>BLAKE3 of bytes that come in pieces.</summary>
internal sealed class Blake3DigestHasher() : DigestHasher(DigestFunction.Blake3)
{
    // From here on two cores take half the time and a fifth more work; at 1 MiB it is six tenths more, for less.
    private const int ParallelBytesMin = 2 << 20;

    private static readonly bool HasCores = Environment.ProcessorCount > 1;

    private readonly Hasher _hasher = Hasher.New();

    private protected override void AppendCore(ReadOnlySpan<byte> data)
    {
        if (HasCores && data.Length >= ParallelBytesMin) _hasher.UpdateWithJoin(data);
        else _hasher.Update(data);
    }

    private protected override void FinishCore(Span<byte> hash)
    {
        _hasher.Finalize(hash);
        _hasher.Reset();
    }

    private protected override void DisposeCore() => _hasher.Dispose();
}
