using NUnit.Framework;

namespace RemoteExec.Core.Tests;

/// <summary>Names that are nearly right.</summary>
public sealed class ResourceNameMutationTests
{
    private const int Seed = 20261130;
    private const int Names = 20_000;

    private static readonly string[] Words =
        ["/", "//", "blobs", "uploads", "compressed-blobs", "zstd", "identity", "blake3", "sha256", "..", "\0", "-1", "00", "9223372036854775808", " ", "é"];

    private static readonly string[] Right =
    [
        $"blobs/{Digest.Of(DigestFunction.Sha256, "a"u8)}", $"a/b/compressed-blobs/zstd/{Digest.Of(DigestFunction.Blake3, "a"u8)}",
        $"uploads/u/blobs/{Digest.Of(DigestFunction.Sha1, "a"u8)}/more", $"i/uploads/u/compressed-blobs/zstd/{Digest.Of(DigestFunction.Sha512, "a"u8)}",
    ];

    [Test]
    public void What_is_taken_for_the_name_of_a_read_is_written_as_the_same_name()
    {
        int taken = Count(name =>
        {
            if (!BlobResourceName.TryParseRead(name, default, out var read, out string? error)) return !string.IsNullOrEmpty(error) ? null : "no reason";
            return BlobResourceName.TryParseRead(read.ToStringWithFunction(), default, out var again, out _) && again == read ? "" : $"{read}";
        });

        Assert.That(taken, Is.GreaterThan(0), $"seed {Seed}: no mutant was a name any more");
    }

    [Test]
    public void What_is_taken_for_the_name_of_an_upload_is_written_as_the_same_name()
    {
        int taken = Count(name =>
        {
            if (!UploadResourceName.TryParse(name, default, out var upload, out string? error)) return !string.IsNullOrEmpty(error) ? null : "no reason";
            return UploadResourceName.TryParse(upload.ToStringWithFunction(), default, out var again, out _) && again == upload ? "" : $"{upload}";
        });

        Assert.That(taken, Is.GreaterThan(0), $"seed {Seed}: no mutant was a name any more");
    }

    /// <param name="read">Null for a name that is refused, empty for one that is taken, else what is wrong.</param>
    private static int Count(Func<string, string?> read)
    {
        var mutants = new Mutants(Seed);
        int taken = 0;
        for (int i = 0; i < Names; i++)
        {
            string name = mutants.Of(Right[i % Right.Length], Words);
            string? fault = read(name);
            if (!string.IsNullOrEmpty(fault)) Assert.Fail($"seed {Seed}, number {i}, '{name}': {fault}");
            if (fault is not null) taken++;
        }

        return taken;
    }
}
