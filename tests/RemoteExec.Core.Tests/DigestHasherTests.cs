using NUnit.Framework;

namespace RemoteExec.Core.Tests;

public sealed class DigestHasherTests
{
    public static IEnumerable<DigestFunction> Functions => DigestFunctions.Supported;

    // FIPS 180-4 and RFC 1321 examples: the hash of "abc".
    [TestCase(DigestFunction.Md5, "900150983cd24fb0d6963f7d28e17f72")]
    [TestCase(DigestFunction.Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d")]
    [TestCase(DigestFunction.Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]
    [TestCase(DigestFunction.Sha384, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7")]
    [TestCase(DigestFunction.Sha512, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f")]
    [TestCase(DigestFunction.Sha256Tree, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")] // as short as a leaf: SHA-256
    [TestCase(DigestFunction.GitSha1, "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f")] // printf abc | git hash-object --stdin
    public void A_hasher_computes_the_published_value(DigestFunction function, string hash)
    {
        using var hasher = DigestHasher.Create(function, sizeBytes: 3);
        hasher.Append("a"u8);
        hasher.Append([]);
        hasher.Append("bc"u8);

        Assert.That(hasher.Finish().Hash, Is.EqualTo(hash));
    }

    [TestCaseSource(nameof(Functions))]
    public void A_finished_hasher_starts_again(DigestFunction function)
    {
        using var hasher = DigestHasher.Create(function, sizeBytes: 5);
        hasher.Append("first"u8);
        hasher.Finish();
        hasher.Append("hello"u8);

        Assert.That(hasher.Finish(), Is.EqualTo(Digest.Of(function, "hello"u8)));
    }

    [TestCaseSource(nameof(Functions))]
    public void Nothing_hashes_to_the_empty_blob(DigestFunction function)
    {
        using var hasher = DigestHasher.Create(function, sizeBytes: 0);

        Assert.That(hasher.Finish(), Is.EqualTo(Digest.Empty(function)));
    }
}
