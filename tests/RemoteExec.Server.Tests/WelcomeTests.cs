using System.Net;
using RemoteExec.Storage;

namespace RemoteExec.Server.Tests;

/// <summary>What a person reads at the start is true for the settings at hand, and what is dangerous about them is said.</summary>
public sealed class WelcomeTests
{
    private static readonly BlobStoreUsage Empty = new(0, 0, 0, 1 << 30, 0, OldestUse: null, 0, EvictedAge: null, IsSuspect: false);

    [Test]
    public void The_flags_to_paste_are_those_that_suit_most() => Assert.That(
        TextOf(), Does.Contain("build --remote_executor=grpc://host:8980\n").And.Contain("build --remote_download_toplevel\n").And.Not.Contain("minimal"));

    [Test]
    public void A_server_that_only_stores_offers_a_cache_and_no_execution()
    {
        string text = TextOf("--roles", "storage");

        Assert.That(text, Does.Contain("build --remote_cache=grpc://host:8980"));
        Assert.That(text, Does.Not.Contain("xecut").And.Not.Contain("Worker"));
    }

    [Test]
    public void A_server_without_a_worker_names_the_line_that_joins_one() => Assert.That(
        TextOf("--roles", "coordinator,storage"), Does.Contain("rexec-worker --coordinator grpc://host:8980"));

    [Test]
    public void What_listens_on_this_machine_only_is_no_danger() => Assert.That(DangersOf("127.0.0.1", "::1"), Is.Empty);

    [TestCase("0.0.0.0", "127.0.0.1", "--grpc 0.0.0.0:8980", "runs programs here")]
    [TestCase("10.1.2.3", "127.0.0.1", "--grpc 10.1.2.3:8980", "runs programs here")]
    [TestCase("127.0.0.1", "::", "--http [::]:8980", "reads commands, outputs and metrics")]
    public void What_listens_beyond_this_machine_and_asks_nobody_is_a_danger(string grpc, string http, string option, string says)
    {
        string danger = DangersOf(grpc, http).Single();

        Assert.That(danger, Does.Contain(option).And.Contain(says));
        Assert.That(TextWith([danger]), Does.EndWith($"WARNING: {danger}"));
    }

    [Test]
    public void A_dangerous_cache_runs_nothing() => Assert.That(
        DangersOf("0.0.0.0", "127.0.0.1", "--roles", "storage").Single(), Does.Contain("reads and writes the cache").And.Not.Contain("programs"));

    [TestCase(100, 40, 60, false)]
    [TestCase(101, 40, 60, true)]
    public void A_store_that_may_grow_beyond_what_its_disk_has_room_for_is_a_danger(long limit, long held, long free, bool isTold)
    {
        const long Gigabyte = 1_000_000_000;

        string[] dangers = [.. Dangers.OfLimit(limit * Gigabyte, held * Gigabyte, free * Gigabyte, "/data")];

        Assert.That(dangers, isTold
            ? Has.One.Contains("101GB").And.One.Contains("/data").And.One.Contains("100GB").And.One.Contains("--max-cas-size")
            : Is.Empty);
    }

    private static string TextOf(params string[] flags) => TextWith([], flags);

    private static string TextWith(IReadOnlyList<string> warnings, params string[] flags) => Welcome.Text(
        "1.2.3", "grpc://host:8980", new Uri("http://host:8981"), warnings, Options.Of(["--data-dir", "/data", .. flags]), Empty, worker: null);

    private static IReadOnlyList<string> DangersOf(string grpc, string http, params string[] flags) =>
        Dangers.Of(Port("grpc", grpc), Port("http", http), Options.Of(flags));

    private static PortAddress Port(string name, string address)
    {
        var endPoint = new IPEndPoint(IPAddress.Parse(address), 8980);
        return new PortAddress(name, endPoint, endPoint);
    }
}
