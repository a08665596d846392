using RemoteExec.Client;
using RemoteExec.Core;

namespace RemoteExec.Cli.Tests;

/// <summary>Digests as people paste them.</summary>
internal sealed class DigestTextTests
{
    private const string Sha = "1c87b6727f523662df714f06a94ea27fa4d9050c38f4f7712bd4663ffbfdfa01";

    [TestCase($"{Sha}/13")]
    [TestCase($"{Sha}:13")]
    [TestCase($"{Sha}-13")]
    [TestCase($"  \"{Sha}/13\" ")]
    [TestCase($"sha256:{Sha}:13")]
    [TestCase($"bytestream://host:1/instance/blobs/{Sha}/13")]
    [TestCase($"instance/uploads/0ef316ba-33a8-90c1-4378-372448ea6f0e/blobs/{Sha}/13/file.txt")]
    [TestCase($"http://host:1/action/{Sha}-13")]
    [TestCase("1C87B6727F523662DF714F06A94EA27FA4D9050C38F4F7712BD4663FFBFDFA01/13")]
    public void F28_a_digest_is_taken_in_every_form_in_which_clients_print_it(string text) =>
        Assert.That(DigestText.Parse(text).Exact.ToString(), Is.EqualTo($"{Sha}/13"));

    [TestCase($"blake3/{Sha}/13")]
    [TestCase($"blake3:{Sha}:13")]
    public void A_function_that_is_named_is_believed(string text) =>
        Assert.That(DigestText.Parse(text).Exact.ToString(), Is.EqualTo($"blake3/{Sha}/13"));

    [Test]
    public void Every_function_is_known_by_its_name([ValueSource(typeof(DigestFunctions), nameof(DigestFunctions.Supported))] DigestFunction function)
    {
        var digest = Digest.Of(function, "hello"u8);
        string text = $"{function.WireName()}/{digest.Hash}/5";
        string[] forms =
        [
            text, text.Replace('/', ':'), text.ToUpperInvariant(), digest.ToString(),
            $"bytestream://host:1/instance/blobs/{text}", $"http://host:1/action/{function.WireName()}/{digest.Hash}-5",
        ];
        foreach (string form in forms) Assert.That(DigestText.Parse(form).Exact, Is.EqualTo(digest), form);
    }

    [Test]
    public void F28_the_empty_blob_of_a_client_that_hashes_with_BLAKE3_is_known() =>
        Assert.That(DigestText.Parse($"{Digest.Empty(DigestFunction.Blake3).Hash}/0").Exact, Is.EqualTo(Digest.Empty(DigestFunction.Blake3)));

    [TestCase(Sha)]
    [TestCase("1c87b6")]
    [TestCase("1C87B672")]
    public void A_hash_or_its_beginning_is_taken_without_a_size(string text)
    {
        Assert.That(DigestText.Parse(text).Exact, Is.Null);
        Assert.That(Sha.StartsWith(DigestText.Parse(text).Hash, StringComparison.Ordinal), Is.True);
    }

    [TestCase("")]
    [TestCase("hello")]
    [TestCase("1c87b")]
    [TestCase("1c87b6/13")]
    [TestCase($"{Sha}/-1")]
    [TestCase($"{Sha}/99999999999999999999")]
    [TestCase($"{Sha}/0")]
    [TestCase($"{Sha}0/5")]
    public void What_is_none_is_refused_with_its_form(string text) =>
        Assert.That(() => DigestText.Parse(text), Throws.TypeOf<ClientException>().With.Message.Contains("is not a digest"));
}
