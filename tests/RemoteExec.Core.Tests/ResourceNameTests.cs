using NUnit.Framework;

namespace RemoteExec.Core.Tests;

public sealed class ResourceNameTests
{
    private const string Hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    private const string Upload = "uploads/a0b1c2d3-0000-4000-8000-000000000000";

    private static readonly Digest Hello = Digest.Of(DigestFunction.Sha256, "hello"u8);

    [TestCase("", DigestFunction.Sha256)] // REAPI D4
    [TestCase("", DigestFunction.Blake3)]
    [TestCase("", DigestFunction.Sha256Tree)]
    [TestCase("sha256/", DigestFunction.Sha256)]
    [TestCase("blake3/", DigestFunction.Blake3)]
    [TestCase("sha256tree/", DigestFunction.Sha256Tree)]
    public void A_hash_without_a_function_is_of_the_one_that_is_set(string function, DigestFunction expected)
    {
        var unnamed = function.Length == 0 ? expected : DigestFunction.Blake3;

        Assert.That(BlobResourceName.TryParseRead($"blobs/{function}{Hash}/5", unnamed, out var read, out _), Is.True);
        Assert.That(UploadResourceName.TryParse($"a/uploads/1/blobs/{function}{Hash}/5", unnamed, out var written, out _), Is.True);
        Assert.That((read.Digest.Function, written.Blob.Digest.Function), Is.EqualTo((expected, expected)));
        Assert.That(BlobResourceName.TryParseRead(read.ToStringWithFunction(), DigestFunction.Blake3, out var again, out _), Is.True);
        Assert.That(again, Is.EqualTo(read));
        Assert.That(UploadResourceName.TryParse(written.ToStringWithFunction(), DigestFunction.Blake3, out var once, out _), Is.True);
        Assert.That(once, Is.EqualTo(written));
    }

    [TestCase($"blobs/{Hash}/5", "")]
    [TestCase($"/blobs/{Hash}/5", "")]
    [TestCase($"main/blobs/{Hash}/5", "main")]
    [TestCase($"a/b/c/d/blobs/{Hash}/5", "a/b/c/d")]
    [TestCase($"main//blobs/{Hash}/5", "main/")]
    [TestCase($"main/blobs/sha256/{Hash}/5", "main")]
    public void REAPI_N4_a_read_name_is_parsed_from_its_keyword(string name, string instance)
    {
        Assert.That(BlobResourceName.TryParseRead(name, unnamed: default, out var parsed, out string? error), Is.True, error);
        Assert.That((parsed.Instance.Value, parsed.Digest, parsed.Compressor), Is.EqualTo((instance, Hello, Compressor.Identity)));
    }

    [Test]
    public void REAPI_N2_a_compressed_name_carries_the_compressor_and_the_plain_digest()
    {
        Assert.That(BlobResourceName.TryParseRead($"main/compressed-blobs/zstd/{Hash}/5", unnamed: default, out var parsed, out _), Is.True);
        Assert.That((parsed.Digest, parsed.Compressor), Is.EqualTo((Hello, Compressor.Zstd)));
    }

    [TestCase(32, DigestFunction.Md5)]
    [TestCase(40, DigestFunction.Sha1)]
    [TestCase(64, DigestFunction.Sha256)]
    [TestCase(96, DigestFunction.Sha384)]
    [TestCase(128, DigestFunction.Sha512)]
    public void REAPI_D4_a_hash_without_a_function_is_told_by_its_length(int hexLength, DigestFunction function)
    {
        Assert.That(BlobResourceName.TryParseRead($"blobs/{new string('a', hexLength)}/5", unnamed: default, out var parsed, out _), Is.True);
        Assert.That(parsed.Digest.Function, Is.EqualTo(function));
    }

    [TestCase($"blobs/{Hash}", "'' is not a size")]
    [TestCase($"blobs/{Hash}/", "'' is not a size")]
    [TestCase($"blobs/{Hash}/-5", "'-5' is not a size")]
    [TestCase($"blobs/{Hash}/+5", "'+5' is not a size")]
    [TestCase($"blobs/{Hash}/05", "'05' is not a size")]
    [TestCase($"blobs/{Hash}/5 ", "'5 ' is not a size")]
    [TestCase($"blobs/{Hash}/9223372036854775808", "is not a size")]
    [TestCase($"blobs/{Hash}/5/", "'' follows the size")]
    [TestCase($"blobs/{Hash}/5/more", "'more' follows the size")]
    [TestCase($"blobs//{Hash}/5", "neither the name of a hash function")]
    [TestCase($"blobs/sha1/{Hash}/5", "sha1 has 40")]
    [TestCase($"blobs/SHA256/{Hash}/5", "neither the name of a hash function")]
    [TestCase($"blobs/murmur3/{Hash}/5", "'murmur3' is neither")]
    [TestCase("blobs/abc/5", "'abc' is neither")]
    [TestCase("", "none of the segments")]
    [TestCase("main", "none of the segments")]
    [TestCase("blobs", "'' is neither")]
    [TestCase($"main/operations/blobs/{Hash}/5", "the name has 'operations'")]
    [TestCase($"{Upload}/blobs/{Hash}/5", "the name has 'uploads'")]
    [TestCase($"compressed-blobs/{Hash}/5", "is not a compressor")]
    [TestCase($"compressed-blobs/identity/{Hash}/5", "'identity' is not a compressor")]
    [TestCase($"compressed-blobs/brotli/{Hash}/5", "'brotli' is not a compressor")]
    [TestCase($"compressed-blobs/ZSTD/{Hash}/5", "'ZSTD' is not a compressor")]
    [TestCase($"a\u0000b/blobs/{Hash}/5", "control character")]
    public void A_malformed_read_name_is_refused_with_its_reason(string name, string reason)
    {
        Assert.That(BlobResourceName.TryParseRead(name, unnamed: default, out var parsed, out string? error), Is.False);
        Assert.That(error, Does.Contain(reason));
        Assert.That(parsed, Is.EqualTo(default(BlobResourceName)));
    }

    [TestCase($"{Upload}/blobs/{Hash}/5", "")]
    [TestCase($"main/x/{Upload}/blobs/{Hash}/5", "main/x")]
    [TestCase($"{Upload}/blobs/{Hash}/5/", "")]
    [TestCase($"{Upload}/blobs/{Hash}/5/blobs/uploads/7", "")]
    public void REAPI_N3_an_upload_name_may_end_in_metadata_that_is_ignored(string name, string instance)
    {
        Assert.That(UploadResourceName.TryParse(name, unnamed: default, out var parsed, out string? error), Is.True, error);
        Assert.That(parsed.UploadId, Is.EqualTo("a0b1c2d3-0000-4000-8000-000000000000"));
        Assert.That((parsed.Blob.Instance.Value, parsed.Blob.Digest), Is.EqualTo((instance, Hello)));
    }

    [Test]
    public void REAPI_N3_metadata_is_no_part_of_an_upload()
    {
        var one = ParseUpload($"{Upload}/blobs/{Hash}/5/main.cc");
        var other = ParseUpload($"{Upload}/blobs/{Hash}/5/other.cc");
        var compressed = ParseUpload($"{Upload}/compressed-blobs/zstd/{Hash}/5");

        Assert.That(one, Is.EqualTo(other));
        Assert.That(one, Is.Not.EqualTo(compressed));
    }

    [TestCase($"uploads//blobs/{Hash}/5", "upload id has 0 characters")]
    [TestCase($"uploads/blobs/{Hash}/5", "the name has '" + Hash)]
    [TestCase("uploads", "upload id has 0 characters")]
    [TestCase(Upload, "the name has ''")]
    [TestCase($"blobs/{Hash}/5", "the name has 'blobs'")]
    [TestCase($"{Upload}/actions/{Hash}/5", "the name has 'actions'")]
    [TestCase($"{Upload}/blobs/{Hash}/5x", "'5x' is not a size")]
    public void A_malformed_upload_name_is_refused_with_its_reason(string name, string reason)
    {
        Assert.That(UploadResourceName.TryParse(name, unnamed: default, out _, out string? error), Is.False);
        Assert.That(error, Does.Contain(reason));
    }

    [Test]
    public void An_upload_id_is_bounded() =>
        Assert.That(UploadResourceName.TryParse($"uploads/{new string('a', 129)}/blobs/{Hash}/5", unnamed: default, out _, out _), Is.False);

    [TestCase($"blobs/{Hash}/5")]
    [TestCase($"main/x/compressed-blobs/zstd/{Hash}/5")]
    public void A_read_name_is_written_as_it_was_read(string name)
    {
        Assert.That(BlobResourceName.TryParseRead(name, unnamed: default, out var parsed, out _), Is.True);
        Assert.That(parsed.ToString(), Is.EqualTo(name));
    }

    [TestCase($"{Upload}/blobs/{Hash}/5")]
    [TestCase($"main/x/{Upload}/compressed-blobs/zstd/{Hash}/5")]
    public void An_upload_name_is_written_as_it_was_read(string name) =>
        Assert.That(ParseUpload(name).ToString(), Is.EqualTo(name));

    [TestCase("blobs")]
    [TestCase("a/uploads")]
    [TestCase("actions/b")]
    [TestCase("a/actionResults/b")]
    [TestCase("operations")]
    [TestCase("capabilities")]
    [TestCase("compressed-blobs")]
    public void REAPI_G2_an_instance_name_has_no_reserved_segment(string name) =>
        Assert.That(InstanceName.TryParse(name, out _, out _), Is.False);

    [TestCase("")]
    [TestCase("main")]
    [TestCase("a/b")]
    [TestCase("my-blobs/Blobs")]
    [TestCase("projects/größe/instances/default")]
    public void REAPI_G2_an_instance_name_is_otherwise_opaque(string name)
    {
        Assert.That(InstanceName.TryParse(name, out var parsed, out string? error), Is.True, error);
        Assert.That(parsed.Value, Is.EqualTo(name));
    }

    [Test]
    public void The_empty_instance_name_is_one_value()
    {
        Assert.That(InstanceName.TryParse("", out var parsed, out _), Is.True);
        Assert.That(parsed, Is.EqualTo(InstanceName.Empty));
    }

    [Test]
    public void An_instance_name_is_bounded() =>
        Assert.That(InstanceName.TryParse(new string('a', InstanceName.LengthMax + 1), out _, out _), Is.False);

    private static UploadResourceName ParseUpload(string name)
    {
        Assert.That(UploadResourceName.TryParse(name, unnamed: default, out var parsed, out string? error), Is.True, error);
        return parsed;
    }
}
