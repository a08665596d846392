using NUnit.Framework;

namespace RemoteExec.Core.Tests;

public sealed class DigestTests
{
    private const string HelloSha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    private const string EmptySha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    public static IEnumerable<DigestFunction> Functions => DigestFunctions.Supported;

    [Test]
    public void The_digest_of_bytes_has_their_hash_and_their_size()
    {
        var digest = Digest.Of(DigestFunction.Sha256, "hello"u8);

        Assert.That((digest.Function, digest.Hash, digest.SizeBytes), Is.EqualTo((DigestFunction.Sha256, HelloSha256, 5L)));
    }

    [TestCaseSource(nameof(Functions))]
    public void A_digest_survives_text_and_raw_bytes(DigestFunction function)
    {
        var digest = Digest.Of(function, "hello"u8);
        var raw = new byte[digest.HashBytes];
        digest.CopyHashTo(raw);

        Assert.That(Digest.TryParse(function, digest.Hash, digest.SizeBytes, out var parsed, out _), Is.True);
        Assert.That(parsed, Is.EqualTo(digest));
        Assert.That(parsed.GetHashCode(), Is.EqualTo(digest.GetHashCode()));
        Assert.That(Digest.FromHash(function, raw, 5), Is.EqualTo(digest));
    }

    [TestCaseSource(nameof(Functions))]
    public void A_digest_differs_when_any_part_differs(DigestFunction function)
    {
        var raw = new byte[function.HashBytes()];
        var digest = Digest.FromHash(function, raw, 7);
        for (int i = 0; i < raw.Length; i++)
        {
            raw[i] ^= 1;
            Assert.That(Digest.FromHash(function, raw, 7), Is.Not.EqualTo(digest), $"byte {i}");
            raw[i] ^= 1;
        }

        Assert.That(Digest.FromHash(function, raw, 8), Is.Not.EqualTo(digest));
    }

    [TestCase("2cf2", 5, "4 characters, sha256 has 64")]
    [TestCase(HelloSha256 + "00", 5, "66 characters")]
    [TestCase("2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824", 5, "upper-case")]
    [TestCase("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b982g", 5, "not hexadecimal")]
    [TestCase("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b982ı", 5, "not hexadecimal")]
    [TestCase(HelloSha256, -1, "not negative")]
    [TestCase(HelloSha256, long.MinValue, "not negative")]
    [TestCase(HelloSha256, 0, "not that of the empty blob")]
    [TestCase(EmptySha256, 1, "that of the empty blob, but size_bytes is 1")]
    public void REAPI_D1_an_impossible_digest_is_refused_with_its_reason(string hash, long sizeBytes, string reason)
    {
        Assert.That(Digest.TryParse(DigestFunction.Sha256, hash, sizeBytes, out var digest, out string? error), Is.False);
        Assert.That(error, Does.Contain(reason));
        Assert.That(digest, Is.EqualTo(default(Digest)));
    }

    [Test]
    public void F28_the_empty_blob_of_another_function_is_refused_with_the_name_of_that_one()
    {
        string blake = Digest.Empty(DigestFunction.Blake3).Hash;

        Assert.That(Digest.TryParse(DigestFunction.Sha256, blake, 0, out _, out string? error), Is.False);
        Assert.That(error, Does.Contain("not that of the empty blob by sha256, it is that by blake3").And.Contain("digest_function"));
    }

    [Test]
    public void A_hash_that_is_longer_than_any_function_is_refused() =>
        Assert.That(Digest.TryParse(DigestFunction.Sha256, new string('a', 1_000_000), 5, out _, out _), Is.False);

    [Test]
    public void The_largest_size_is_taken_at_its_word() =>
        Assert.That(Digest.TryParse(DigestFunction.Sha256, HelloSha256, long.MaxValue, out _, out _), Is.True);

    [TestCaseSource(nameof(Functions))]
    public void REAPI_D2_the_empty_blob_has_a_digest_in_every_function(DigestFunction function)
    {
        Assert.That(Digest.Empty(function), Is.EqualTo(Digest.Of(function, [])));
        Assert.That(Digest.Empty(function).IsEmpty, Is.True);
        Assert.That(Digest.Of(function, "x"u8).IsEmpty, Is.False);
    }

    [Test]
    public void The_default_value_is_no_digest()
    {
        Assert.That(default(Digest).IsEmpty, Is.False);
        Assert.That(default(Digest).Hash, Is.Empty);
        Assert.That(default(Digest), Is.Not.EqualTo(Digest.Empty(DigestFunction.Sha256)));
    }

    [Test]
    public void Text_is_the_tail_of_a_resource_name() =>
        Assert.That(Digest.Of(DigestFunction.Sha256, "hello"u8).ToString(), Is.EqualTo(HelloSha256 + "/5"));

    [Test]
    public void A_parsed_sha256_digest_is_never_on_the_heap()
    {
        byte[] hash = System.Text.Encoding.ASCII.GetBytes(HelloSha256);
        Digest.TryParse(DigestFunction.Sha256, hash, 5, out _, out _);

        long before = GC.GetAllocatedBytesForCurrentThread();
        bool parsed = Digest.TryParse(DigestFunction.Sha256, hash, 5, out var digest, out _) && digest.Equals(digest);
        long allocatedBytes = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.That((parsed, allocatedBytes), Is.EqualTo((true, 0L)));
    }
}
