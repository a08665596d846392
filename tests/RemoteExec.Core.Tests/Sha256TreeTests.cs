using NUnit.Framework;

namespace RemoteExec.Core.Tests;

/// <summary>Against the vectors that are published beside the definition (remote_execution.proto, DigestFunction).</summary>
public sealed class Sha256TreeTests
{
    [TestCase(1025, "36c0998b21839ef74300b9de47d96d1f62323dc81f2b4231e98ce70cd6ffe750")]
    [TestCase(2048, "b584996386f01793751c5cf0c39561f51b7e9924b818943b3cb2f6928cea0fa9")]
    [TestCase(2049, "7318d2029b0392edf4cf109edb5a086b4bdadbb7950f710a1483eb881d9e5d44")]
    [TestCase(3072, "dfc61c0a041f79d55d53bfe31c6cda7df77fdc8e6fbac1143d70b7144fdf6937")]
    [TestCase(3073, "517d20c0e5835f060a1bd6388ed68574f63424bdac2a2c3a35a5c2ef859d8fe2")]
    [TestCase(4096, "2f72bb93880012168c027f6781527ff08177c7c8dccb443f4d2c6389c186633d")]
    [TestCase(4097, "c3ec942c1b8f4580320d3a06bcf4f8fe1f5db2be797ab67061ea4c2a95f208f2")]
    [TestCase(5120, "a76924f6535b4b473377c285ec27acc84cc58e95ab1e9e29b1bb6a4a3fb9d0b3")]
    [TestCase(5121, "98f987c3e9fc057a70873715b679b89a663d0df806859b6ce73f8379b06a10ff")]
    [TestCase(6144, "372f988af412041b680ab236feef45626380062beb7514bbf93607aedd28fc9a")]
    [TestCase(6145, "6dc4b78efd770453417b2ffdc74b27054793efe6122ecd7ee098670ed7c4651c")]
    [TestCase(7168, "43686312c0cabccf9d5ad509efa096e3d743c63c7a51f122473c57949e4dd9a0")]
    [TestCase(7169, "ad729297ab36cd099665b27c4247474a5518e4cd0be443f5f31d95edda08429b")]
    [TestCase(8192, "fcfdde6fe59178e17708c5ba647919c3b141a44c9d1970782e597e1465266932")]
    [TestCase(8193, "113c6e3a2452f388b6fad13dfab66ee0bff597a0a9a517ad8d0165f7190b603e")]
    [TestCase(16384, "a7a10149a8cb00be537000560edb83b196306b780b72fad8af218f369f75fc19")]
    [TestCase(31744, "2cdf7662636c173d4b236f6ea03bf84c65e7f6487b53b2a61c420e26cf8a98c7")]
    [TestCase(102400, "0668d69e5331840d2f1823d717b7b3f5d1fdc8a09504cddb692b87ff83d50e5f")]
    public void It_computes_the_published_values(int length, string hash)
    {
        byte[] data = [.. Enumerable.Range(0, length).Select(i => (byte)(i % 251))];

        Assert.That(Digest.Of(DigestFunction.Sha256Tree, data).Hash, Is.EqualTo(hash));
    }

    [Test]
    public void Pieces_of_any_size_hash_to_the_same()
    {
        var random = new Random(7);
        byte[] data = new byte[70_000];
        random.NextBytes(data);
        foreach (int length in (int[])[0, 1, 1023, 1024, 1025, 2047, 2048, 2049, 4096, 8191, 33_000, 65_536, 65_537, 70_000])
        {
            using var hasher = DigestHasher.Create(DigestFunction.Sha256Tree, length);
            for (int at = 0; at < length;)
            {
                int piece = Math.Min(length - at, random.Next(random.Next(2) == 0 ? 5000 : 300));
                hasher.Append(data.AsSpan(at, piece));
                at += piece;
            }

            Assert.That(hasher.Finish(), Is.EqualTo(Digest.Of(DigestFunction.Sha256Tree, data.AsSpan(0, length))), $"{length} bytes");
        }
    }
}
