using System.Text;
using Grpc.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Assets.Tests;

/// <summary>REAPI S2: what may be said of the content that is meant.</summary>
public sealed class FetchQualifierTests : AssetFixture
{
    private const string Checksum = "checksum.sri";

    [Test]
    public async Task Content_that_has_the_checksum_is_stored()
    {
        Origin.Serve("/a", Encoding.UTF8.GetBytes("right"));

        Assert.That(await ReadAsync((await FetchBlobAsync(Origin.UriOf("/a"), (Checksum, Sri("right")))).Digest), Is.EqualTo("right"));
    }

    [Test]
    public async Task Of_several_checksums_one_has_to_match()
    {
        Origin.Serve("/a", Encoding.UTF8.GetBytes("right"));
        string sha512 = "sha512-" + Convert.ToBase64String(System.Security.Cryptography.SHA512.HashData(Encoding.UTF8.GetBytes("right")));

        Assert.That((await FetchBlobAsync(Origin.UriOf("/a"), (Checksum, $"{Sri("other")} {sha512}?opt md5-xyz"))).Failure, Is.Null);
    }

    [Test]
    public async Task Content_with_another_checksum_is_aborted_and_stored_nowhere()
    {
        Origin.Serve("/a", Encoding.UTF8.GetBytes("wrong"));

        AssertFailed(await FetchBlobAsync(Origin.UriOf("/a"), (Checksum, Sri("right"))), StatusCode.Aborted, "checksum");
        AssertFailed(await FetchDirectoryAsync(Origin.UriOf("/a"), (Checksum, Sri("right"))), StatusCode.Aborted, "checksum");
    }

    [Test]
    public async Task A_mirror_with_the_right_content_is_used_after_one_with_the_wrong()
    {
        Origin.Serve("/a", Encoding.UTF8.GetBytes("wrong"));
        Origin.Serve("/b", Encoding.UTF8.GetBytes("right"));

        var answer = await FetchAsync(Request(AssetKind.Blob, [Origin.UriOf("/a"), Origin.UriOf("/b")], (Checksum, Sri("right"))));

        Assert.That(answer.Uri, Is.EqualTo(Origin.UriOf("/b")));
    }

    [Test]
    public async Task What_is_known_by_one_checksum_is_not_answered_to_another()
    {
        Origin.Serve("/a", Encoding.UTF8.GetBytes("right"));
        await FetchBlobAsync(Origin.UriOf("/a"));

        var answer = await FetchBlobAsync(Origin.UriOf("/a"), (Checksum, Sri("other")));

        Assert.That(answer.Failure?.StatusCode, Is.EqualTo(StatusCode.Aborted));
    }

    [TestCase("")]
    [TestCase("sha256-AAAA")]
    [TestCase("sha256-!")]
    [TestCase("sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=")]
    [TestCase("nonsense")]
    public void A_checksum_that_is_none_is_invalid(string text) =>
        AssertInvalid(() => Request(AssetKind.Blob, ["http://a/"], (Checksum, text)), "qualifiers.value");

    [Test]
    public void A_qualifier_that_is_not_known_is_named()
    {
        var refused = Assert.Throws<RpcException>(() => Request(AssetKind.Blob, ["http://a/"], ("vcs.tag", "1"), ("colour", "blue"), (Checksum, Sri("a"))));

        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
        var violations = refused.ToStatus().Details.Single().Unpack<Google.Rpc.BadRequest>().FieldViolations;
        Assert.That(violations.Select(each => (each.Field, each.Description)), Is.EqualTo(new[] { ("qualifiers.name", "\"vcs.tag\" not supported"), ("qualifiers.name", "\"colour\" not supported") }));
    }

    [Test]
    public void A_folder_in_it_is_no_question_to_a_blob() => AssertInvalid(() => Request(AssetKind.Blob, ["http://a/"], ("directory", "d")), "qualifiers.name");

    [Test]
    public void A_qualifier_stands_once() => AssertInvalid(() => Request(AssetKind.Blob, ["http://a/"], (Checksum, Sri("a")), (Checksum, Sri("a"))), "qualifiers.name");

    [Test]
    public void A_request_of_very_many_unknown_qualifiers_is_refused_in_few_words()
    {
        var many = Enumerable.Range(0, 120).Select(i => ($"{i}" + new string('x', 500), "")).ToArray();

        var refused = Assert.Throws<RpcException>(() => Request(AssetKind.Blob, ["http://a/"], many));

        Assert.That(refused!.ToStatus().CalculateSize(), Is.LessThan(8192));
        AssertInvalid(() => Request(AssetKind.Blob, ["http://a/"], [.. many, .. many.Select(each => ("z" + each.Item1, ""))]), "qualifiers");
    }

    [TestCase("http_header:Host")]
    [TestCase("http_header:Range")]
    [TestCase("http_header:transfer-encoding")]
    [TestCase("http_header:")]
    [TestCase("http_header:a b")]
    [TestCase("http_header_url:1:Accept")] // there is one, and it is 0
    [TestCase("http_header_url:x:Accept")]
    [TestCase("http_header_url:-1:Accept")]
    [TestCase("http_header_url:Accept")]
    public void A_header_that_is_not_the_clients_to_set_is_invalid(string name) =>
        AssertInvalid(() => Request(AssetKind.Blob, ["http://a/"], (name, "v")), "qualifiers.name");

    [TestCase("a\r\nHost: b")]
    [TestCase("a\0")]
    [TestCase("ü")]
    public void A_header_cannot_begin_another(string value) =>
        AssertInvalid(() => Request(AssetKind.Blob, ["http://a/"], ("http_header:X-A", value)), "qualifiers.value");

    [TestCase("[]")]
    [TestCase("{")]
    [TestCase("""{"http://a/": 1}""")]
    [TestCase("""{"http://a/": {"A": 1}}""")]
    public void Authorisation_that_is_not_written_as_Bazel_does_is_invalid(string json) =>
        AssertInvalid(() => Request(AssetKind.Blob, ["http://a/"], ("bazel.auth_headers", json)), "qualifiers.value");

    [Test]
    public async Task Headers_go_to_the_address_that_they_are_for()
    {
        string[] uris = [Origin.UriOf("/a"), Origin.UriOf("/b")];

        await FetchAsync(Request(
            AssetKind.Blob, uris, ("http_header:X-All", "1"), ("http_header_url:1:X-Second", "2"), ("bazel.auth_headers", $$$"""{"{{{uris[0]}}}": {"Authorization": "Basic secret"}}""")));

        Assert.That(Origin.Requests.First(), Does.Contain("X-All: 1").And.Contain("Authorization: Basic secret").And.Not.Contain("X-Second"));
        Assert.That(Origin.Requests.Last(), Does.Contain("X-All: 1").And.Contain("X-Second: 2").And.Not.Contain("secret"));
    }

    [Test]
    public async Task What_a_header_opened_is_not_answered_without_it_unless_a_checksum_names_it()
    {
        Origin.Serve("/a", Encoding.UTF8.GetBytes("private"));
        await FetchBlobAsync(Origin.UriOf("/a"), ("http_header:Authorization", "secret"));
        await FetchBlobAsync(Origin.UriOf("/a"), ("http_header:Authorization", "secret"), (Checksum, Sri("private")));
        Origin.Refuse("/a", 401);

        Assert.That((await FetchBlobAsync(Origin.UriOf("/a"))).Failure?.StatusCode, Is.EqualTo(StatusCode.PermissionDenied));
        Assert.That((await FetchBlobAsync(Origin.UriOf("/a"), (Checksum, Sri("private")))).Failure, Is.Null);
    }

    [Test]
    public async Task Another_canonical_id_is_another_content()
    {
        Origin.Serve("/a", Encoding.UTF8.GetBytes("a"));

        foreach (string id in new[] { "1", "1", "2" }) await FetchBlobAsync(Origin.UriOf("/a"), ("bazel.canonical_id", id), (Checksum, Sri("a")));

        Assert.That(Origin.Requests, Has.Count.EqualTo(2));
    }

    [Test]
    public void What_may_be_a_secret_does_not_come_back()
    {
        var request = Request(AssetKind.Blob, ["http://a/"], ("http_header:A", "s"), ("http_header_url:0:A", "s"), ("bazel.auth_headers", "{}"), ("resource_type", "application/x-tar"));

        Assert.That(request.Qualifiers.Public.Select(each => each.Name), Is.EqualTo(new[] { "resource_type" }));
    }

    [TestCase("")]
    [TestCase("relative")]
    [TestCase("ftp://a/")]
    [TestCase("file:///etc/passwd")]
    [TestCase("http://user:word@a/")]
    [TestCase("http://")]
    public void What_is_no_address_of_http_is_invalid(string uri) => AssertInvalid(() => Request(AssetKind.Blob, [uri]), "uris");

    [Test]
    public void There_is_at_least_one_address_and_not_any_number_of_any_length()
    {
        AssertInvalid(() => AssetUris.Parse([]), "uris");
        AssertInvalid(() => AssetUris.Parse([.. Enumerable.Repeat("http://a/", 65)]), "uris");
        AssertInvalid(() => AssetUris.Parse(["http://a/" + new string('x', 8192)]), "uris");
    }
}
