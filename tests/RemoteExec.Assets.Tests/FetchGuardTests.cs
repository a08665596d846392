using System.Net;
using System.Text;
using Grpc.Core;

namespace RemoteExec.Assets.Tests;

/// <summary>REAPI S4: what is not fetched from, at the first hop and at every other.</summary>
public sealed class FetchGuardTests : AssetFixture
{
    [TestCase("127.0.0.1")]
    [TestCase("127.8.8.8")]
    [TestCase("0.0.0.0")]
    [TestCase("10.0.0.1")]
    [TestCase("172.31.255.255")]
    [TestCase("192.168.1.1")]
    [TestCase("100.100.100.200")] // metadata of one cloud
    [TestCase("169.254.169.254")] // of most
    [TestCase("168.63.129.16")] // of another
    [TestCase("224.0.0.1")]
    [TestCase("255.255.255.255")]
    [TestCase("::1")]
    [TestCase("::")]
    [TestCase("3fff::1")]
    [TestCase("2001:0:7f00:1::")] // Teredo
    [TestCase("fe80::1")]
    [TestCase("fd00:ec2::254")]
    [TestCase("ff02::1")]
    [TestCase("::ffff:127.0.0.1")]
    [TestCase("::ffff:169.254.169.254")]
    [TestCase("::127.0.0.1")]
    [TestCase("64:ff9b::7f00:1")] // 127.0.0.1 behind NAT64
    [TestCase("2002:7f00:1::")] // and by 6to4
    public void An_address_that_is_not_public_is_not_fetched_from(string address) =>
        Assert.That(new AddressGuard([]).Allows("host.example", IPAddress.Parse(address)), Is.False);

    [TestCase("1.1.1.1")]
    [TestCase("172.32.0.1")]
    [TestCase("2606:4700::1111")]
    [TestCase("::ffff:1.1.1.1")]
    [TestCase("64:ff9b::101:101")]
    public void A_public_address_is(string address) => Assert.That(new AddressGuard([]).Allows("host.example", IPAddress.Parse(address)), Is.True);

    [TestCase("10.1.0.0/16", "host.example", "10.1.2.3", true)]
    [TestCase("10.1.0.0/16", "host.example", "::ffff:10.1.2.3", true)]
    [TestCase("10.1.0.0/16", "host.example", "10.2.2.3", false)]
    [TestCase("10.1.2.3", "host.example", "10.1.2.3", true)]
    [TestCase("fd00::/8", "host.example", "fd12::1", true)]
    [TestCase("fd00::/8", "host.example", "10.1.2.3", false)]
    [TestCase("mirror.example", "Mirror.Example.", "10.1.2.3", true)]
    [TestCase("mirror.example", "evil.mirror.example", "10.1.2.3", false)]
    public void An_allowance_is_for_its_block_or_its_host(string allowance, string host, string address, bool isAllowed) =>
        Assert.That(new AddressGuard([Allow(allowance)]).Allows(host, IPAddress.Parse(address)), Is.EqualTo(isAllowed));

    [TestCase("")]
    [TestCase("http://mirror.example")]
    [TestCase("10.0.0.0/99")]
    [TestCase("a b")]
    public void What_is_neither_a_host_nor_a_block_is_no_allowance(string text) => Assert.That(FetchAllowance.TryParse(text, out _), Is.False);

    [Test]
    public async Task Nothing_is_sent_to_an_address_that_is_not_allowed()
    {
        await ReopenAsync(Options with { Allowed = [] });
        Origin.Serve("/a", [1]);

        AssertFailed(await FetchBlobAsync(Origin.UriOf("/a")), StatusCode.PermissionDenied, "--fetch-allow");
        AssertFailed(await FetchBlobAsync($"http://2130706433:{Origin.Port}/a"), StatusCode.PermissionDenied);
        AssertFailed(await FetchBlobAsync($"http://[::ffff:127.0.0.1]:{Origin.Port}/a"), StatusCode.PermissionDenied);
        Assert.That(Origin.Requests, Is.Empty);
    }

    [Test]
    public async Task A_name_is_judged_by_the_addresses_that_it_has_when_it_is_connected_to()
    {
        await ReopenAsync(Options with { Allowed = [], Resolve = (_, _) => Task.FromResult(new[] { IPAddress.Loopback }) });

        AssertFailed(await FetchBlobAsync(Origin.UriOf("/a", "looks-public.example")), StatusCode.PermissionDenied, "looks-public.example");
        Assert.That(Origin.Requests, Is.Empty);
    }

    [Test]
    public async Task Of_several_addresses_only_those_that_are_allowed_are_tried()
    {
        await ReopenAsync(Options with { Resolve = (_, _) => Task.FromResult(new[] { IPAddress.Parse("127.0.0.2"), IPAddress.Loopback }) });
        Origin.Serve("/a", [1]);

        Assert.That((await FetchBlobAsync(Origin.UriOf("/a", "mixed.example"))).Failure, Is.Null);
    }

    [Test]
    public async Task A_redirect_is_followed()
    {
        Origin.Redirect("/a", "/b");
        Origin.Redirect("/b", Origin.UriOf("/c"));
        Origin.Serve("/c", Encoding.UTF8.GetBytes("there"));

        var answer = await FetchBlobAsync(Origin.UriOf("/a"));

        Assert.That(await ReadAsync(answer.Digest), Is.EqualTo("there"));
        Assert.That(answer.Uri, Is.EqualTo(Origin.UriOf("/a")));
    }

    [Test]
    public async Task A_redirect_is_judged_like_the_first_address()
    {
        Origin.Redirect("/a", $"http://127.0.0.2:{Origin.Port}/b");
        Origin.Serve("/b", [1]);

        AssertFailed(await FetchBlobAsync(Origin.UriOf("/a")), StatusCode.PermissionDenied);
        Assert.That(Origin.Requests, Has.Count.EqualTo(1));
    }

    [TestCase("file:///etc/passwd")]
    [TestCase("ftp://127.0.0.1/a")]
    [TestCase("http://user:word@127.0.0.1/a")]
    public async Task A_redirect_to_another_kind_of_address_is_refused(string location)
    {
        Origin.Redirect("/a", location);

        AssertFailed(await FetchBlobAsync(Origin.UriOf("/a")), StatusCode.PermissionDenied);
    }

    [Test]
    public async Task Redirects_in_a_circle_end()
    {
        Origin.Redirect("/a", "/a");

        AssertFailed(await FetchBlobAsync(Origin.UriOf("/a")), StatusCode.NotFound, "redirects");
        Assert.That(Origin.Requests, Has.Count.EqualTo(11));
    }

    [Test]
    public async Task What_authorises_at_one_origin_is_not_sent_to_another()
    {
        await using var other = new HttpOriginServer();
        other.Serve("/b", [1]);
        Origin.Redirect("/a", "/same");
        Origin.Redirect("/same", other.UriOf("/b"));

        await FetchBlobAsync(Origin.UriOf("/a"), ("http_header:Authorization", "Bearer secret"));

        Assert.That(Origin.Requests, Has.Count.EqualTo(2).And.All.Contains("Bearer secret"));
        Assert.That(other.Requests, Has.Count.EqualTo(1).And.None.Contains("secret"));
    }

    [Test]
    public async Task A_port_that_nobody_listens_on_is_unavailable()
    {
        string uri = Origin.UriOf("/a");
        await Origin.DisposeAsync();

        AssertFailed(await FetchBlobAsync(uri), StatusCode.Unavailable);
    }
}
