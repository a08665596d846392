using RemoteExec.Core;

namespace RemoteExec.Benchmarks;

/// <summary>1 GiB that does not compress, of which every round gets another variant.</summary>
internal sealed class BigBlob
{
    public const int Bytes = 1 << 30;
    public const double Gibibytes = 1;

    // The seed is fixed: what differs from run to run is the server, not the bytes.
    private const int Seed = 20_000;

    private readonly byte[] _content = new byte[Bytes];

    public BigBlob() => new Random(Seed).NextBytes(_content);

    public ReadOnlyMemory<byte> Content => _content;

    /// <summary>Changes a few bytes, so that no earlier copy of it is of use.</summary>
    public Digest Next()
    {
        Guid.NewGuid().TryWriteBytes(_content);
        return Digest.Of(DigestFunction.Sha256, _content);
    }
}
