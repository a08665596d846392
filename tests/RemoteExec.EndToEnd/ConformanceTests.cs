using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>Every rule of the protocol that can be asked over the wire (tests/RemoteExec.Conformance), asked of a real server of ours.</summary>
public sealed class ConformanceTests
{
    // An action among other work, on a machine that is asked for much more than this.
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromMinutes(2);

    private const int Slots = 2;

    private ServerProcess? _server;
    private Connection? _connection;

    // The abuses have a fixture of their own, which looks at the store and at the memory too. What waits for half a minute has a test with a clock that is moved, or below.
    private static IEnumerable<Check> Checks => Suite.All.Where(check => check is { Id: not "abuse", IsSlow: false }).Except(OfOtherServers).Except(OfWaiting);

    // A worker that has work at hand before a slot is free begins what is ready first; one that has none begins in the order in which it gets it.
    private static IEnumerable<Check> OfWaiting => Suite.All.Where(check => check is { Id: "E11", Rule: var rule } && rule.StartsWith("three that wait", StringComparison.Ordinal));

    // What only a server is asked that has less than this one: results to write (A3, see below), blobs to split (C6, which ours always offers).
    private static IEnumerable<Check> OfOtherServers => Suite.All.Where(check =>
        (check.Id, check.Rule) is ("A3", "who may not write is told so, by what is announced and by the call") or ("C6", "what is not announced is UNIMPLEMENTED"));

    [OneTimeSetUp]
    public async Task StartServerAsync()
    {
        // On any machine fewer than what some checks keep waiting; and from this one it fetches.
        _server = await ServerProcess.StartAsync(Lab.NewFolder("server"), "--slots", $"{Slots}", "--fetch-allow", "127.0.0.1");
        _connection = new Connection(new Uri($"grpc://{_server.GrpcAddress}"), "", []) { Slots = Slots };
    }

    [OneTimeTearDown]
    public async Task StopServerAsync()
    {
        _connection?.Dispose();
        if (_server is null) return;
        await using var server = _server;
        await server.StopAsync();
    }

    [TestCaseSource(nameof(Checks))]
    public Task The_server_keeps_the_rule(object asked) => AssertKeptAsync(_connection!, (Check)asked);

    [Test] // REAPI A3: the half of it that a server has whose results clients may only read
    public async Task A_server_whose_results_are_read_only_says_so_and_keeps_the_rule()
    {
        await using var server = await ServerProcess.StartAsync(Lab.NewFolder("read-only"), "--read-only-action-cache");
        using var connection = new Connection(new Uri($"grpc://{server.GrpcAddress}"), "", []);

        await AssertKeptAsync(connection, OfOtherServers.Single(check => check.Id == "A3"));
        await server.StopAsync();
    }

    [Test] // REAPI E11
    public async Task Those_who_wait_for_a_slot_get_it_in_the_order_of_their_priorities()
    {
        await using var server = await ServerProcess.StartAsync(Lab.NewFolder("server"), "--roles", "coordinator,storage");
        await using var worker = WorkerProcess.Start(server, Lab.NewFolder("worker"), "--slots", $"{Slots}", "--prefetch", "0");
        using var connection = new Connection(new Uri($"grpc://{server.GrpcAddress}"), "", []) { Slots = Slots };

        await AssertKeptAsync(connection, OfWaiting.Single());
        await worker.StopAsync();
        await server.StopAsync();
    }

    [Test] // REAPI E18: where a lost client has a minute to come back, it is asked for by --slow
    public async Task What_would_run_for_ever_for_a_client_that_is_lost_is_ended()
    {
        await using var server = await ServerProcess.StartAsync(Lab.NewFolder("server"), "--wait-for-client", "1s");
        using var connection = new Connection(new Uri($"grpc://{server.GrpcAddress}"), "", []);

        await AssertKeptAsync(connection, Suite.All.Single(check => check is { Id: "E18", IsSlow: true }));
        await server.StopAsync();
    }

    [Test]
    public void Every_checkbox_is_asked_for_or_has_the_reason_why_it_cannot_be()
    {
        var asked = Suite.All.Select(check => check.Id).ToHashSet();

        Assert.That(Rules.All.Where(rule => rule.WhyNot is null && !asked.Contains(rule.Id)).Select(rule => rule.Id), Is.Empty, "neither asked for nor excused");
        Assert.That(Rules.All.Where(rule => rule.WhyNot is not null && asked.Contains(rule.Id)).Select(rule => rule.Id), Is.Empty, "excused, and asked for");
        Assert.That(asked.Where(id => id is not ("abuse" or "R" or "R27") && Rules.All.All(rule => rule.Id != id)), Is.Empty, "asked for, and no checkbox");
        Assert.That(Rules.All.Select(rule => rule.Id), Is.Unique);
    }

    private static async Task AssertKeptAsync(Connection connection, Check check)
    {
        var finding = await new CheckRunner(connection, AnswerWithin).RunAsync(check, CancellationToken.None);

        Assert.That(finding.Verdict, Is.EqualTo(Verdict.Passed), () => $"{check.Rule}: expected {check.Expected}, seen {finding.Seen} {finding.Detail}");
    }

    [Test]
    public void No_two_checks_have_one_name() => Assert.That(Suite.All.Select(check => check.ToString()), Is.Unique);
}
