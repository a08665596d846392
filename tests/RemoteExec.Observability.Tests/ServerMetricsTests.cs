using System.Diagnostics;
using Grpc.Core;
using NUnit.Framework;
using Prometheus;
using RemoteExec.Assets;
using RemoteExec.Rpc;
using RemoteExec.Scheduling;
using RemoteExec.Services;
using RemoteExec.Storage;

namespace RemoteExec.Observability.Tests;

public sealed class ServerMetricsTests
{
    private static readonly DateTimeOffset Now = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly QueueSnapshot Empty = new(Now, 0, 0, 0, [], [], []);

    private readonly ServerHealth _health = new(TimeProvider.System);
    private ServerMetrics _metrics = null!;

    [SetUp]
    public void StartMetrics() => _metrics = new ServerMetrics(_health, roles: "coordinator,storage");

    [TearDown]
    public void StopMetrics() => _metrics.Dispose();

    [Test]
    public async Task Every_scrape_shows_the_values_of_its_own_moment()
    {
        string starting = await ScrapeAsync();
        _health.Ready(() => null);

        Assert.That(starting, Does.Contain("\nremoteexec_ready 0\n"));
        Assert.That(await ScrapeAsync(), Does.Contain("\nremoteexec_ready 1\n"));
    }

    [Test]
    public async Task Fetches_are_told_by_kind_and_by_how_they_ended()
    {
        _metrics.Assets.Known(AssetKind.Blob);
        _metrics.Assets.Fetched(AssetKind.Directory, isFound: true, TimeSpan.FromSeconds(2));
        _metrics.Assets.Fetched(AssetKind.Directory, isFound: false, TimeSpan.FromSeconds(2));
        _metrics.Assets.Downloaded(70);
        _metrics.WatchAssets(() => 3);

        string page = await ScrapeAsync();

        Assert.Multiple(() =>
        {
            Assert.That(page, Does.Contain("""remoteexec_asset_requests_total{kind="blob",result="known"} 1""" + "\n"));
            Assert.That(page, Does.Contain("""remoteexec_asset_requests_total{kind="directory",result="fetched"} 1""" + "\n"));
            Assert.That(page, Does.Contain("""remoteexec_asset_requests_total{kind="directory",result="failed"} 1""" + "\n"));
            Assert.That(page, Does.Contain("\nremoteexec_asset_fetch_seconds_sum 4\n"));
            Assert.That(page, Does.Contain("\nremoteexec_asset_downloaded_bytes_total 70\n"));
            Assert.That(page, Does.Contain("\nremoteexec_asset_fetches 3\n"));
        });
    }

    [Test]
    public async Task Requests_whose_lost_inputs_were_to_be_made_again_are_told_by_what_came_of_it()
    {
        foreach (var outcome in Enum.GetValues<RederivationOutcome>()) _metrics.Services.Rederived(new RederivedInputs(default, outcome, Runs: 2, "why"));

        string page = await ScrapeAsync();

        foreach (string outcome in new[] { "restored", "nondeterministic", "failed", "refused" })
            Assert.That(page, Does.Contain($"remoteexec_rederivations_total{{outcome=\"{outcome}\"}} 1\n"));
    }

    [Test]
    public async Task The_queue_is_told_by_pools_and_those_that_clients_make_up_share_one_name()
    {
        _metrics.WatchQueue(() => Empty with
        {
            Platforms =
            [
                new PlatformSnapshot("", Core.Platform.Empty, Queued: 2, Leased: 1, Running: 3, TimeSpan.FromSeconds(5), IsSatisfiable: true),
                new PlatformSnapshot("invented", Core.Platform.Empty, Queued: 1, Leased: 0, Running: 0, TimeSpan.FromSeconds(7), IsSatisfiable: false),
                new PlatformSnapshot("made up", Core.Platform.Empty, Queued: 1, Leased: 0, Running: 0, TimeSpan.FromSeconds(3), IsSatisfiable: false),
            ],
            Workers = [Worker("gpu", WorkerState.Ready, slotsUsed: 1), Worker("gpu", WorkerState.Draining, slotsUsed: 2)],
        });

        string page = await ScrapeAsync();

        Assert.Multiple(() =>
        {
            Assert.That(page, Does.Contain("""remoteexec_queue_operations{pool="any",state="running"} 3""" + "\n"));
            Assert.That(page, Does.Contain("""remoteexec_queue_operations{pool="any",state="assigned"} 1""" + "\n"));
            Assert.That(page, Does.Contain("""remoteexec_queue_operations{pool="gpu",state="queued"} 0""" + "\n"));
            Assert.That(page, Does.Contain("""remoteexec_queue_operations{pool="unknown",state="queued"} 2""" + "\n"));
            Assert.That(page, Does.Contain("""remoteexec_queue_oldest_operation_age_seconds{pool="unknown"} 7""" + "\n"));
            Assert.That(page, Does.Contain("""remoteexec_queue_demand_slots{pool="any"} 6""" + "\n"));
            Assert.That(page, Does.Contain("""remoteexec_pool_slots{pool="gpu"} 8""" + "\n"));
            Assert.That(page, Does.Contain("""remoteexec_pool_slots_used{pool="gpu"} 3""" + "\n"));
            Assert.That(page, Does.Contain("""remoteexec_workers{pool="gpu",state="draining",version="1"} 1""" + "\n"));
            Assert.That(page, Does.Not.Contain("invented").And.Not.Contain("made up"));
        });
    }

    [Test]
    public async Task A_series_that_is_over_leaves_the_page()
    {
        var queue = Empty with { Workers = [Worker("default", WorkerState.Joining)] };
        _metrics.WatchQueue(() => queue);
        _ = await ScrapeAsync();

        queue = Empty with { Workers = [Worker("default", WorkerState.Ready)] };
        string page = await ScrapeAsync();

        Assert.That(page, Does.Contain("""remoteexec_workers{pool="default",state="ready",version="1"} 1""" + "\n"));
        Assert.That(page, Does.Not.Contain("joining"));
    }

    [Test]
    public async Task A_scrape_looks_at_the_queue_once()
    {
        int looks = 0;
        _metrics.WatchQueue(() =>
        {
            looks++;
            return Empty;
        });

        await ScrapeAsync();

        Assert.That(looks, Is.EqualTo(1));
    }

    [Test]
    public async Task A_source_that_fails_costs_the_page_nothing_but_its_own_news()
    {
        _metrics.WatchQueue(() => throw new TimeZoneNotFoundException());
        _metrics.WatchJournal(() => 12);

        Assert.That(await ScrapeAsync(), Does.Contain("\nremoteexec_journal_size_bytes 12\n"));
    }

    [Test]
    public async Task A_hostile_name_of_a_pool_stays_inside_its_quotes()
    {
        _metrics.Scheduling.WorkerConnected("a\"b\\c\nd");

        Assert.That(await ScrapeAsync(), Does.Contain("""remoteexec_worker_connections_total{pool="a\"b\\c\nd"} 1""" + "\n"));
    }

    [Test]
    public async Task Two_servers_in_one_process_count_for_themselves()
    {
        using var other = new ServerMetrics(_health, roles: "all");

        other.ActionCache.Hit();

        Assert.That((other.Totals.CacheHits, _metrics.Totals.CacheHits), Is.EqualTo((1, 0)));
        Assert.That(await ScrapeAsync(), Does.Contain("""remoteexec_action_cache_requests_total{op="get",result="hit"} 0""" + "\n"));
    }

    [Test]
    public async Task A_run_is_counted_and_its_stages_are_timed()
    {
        _metrics.Scheduling.Ended(Execution(new ExecutionOutcome
        {
            Code = OutcomeCode.Ok, ExitCode = 1, Stages = [new StageDuration("run", TimeSpan.FromSeconds(2))],
        }) with { Waited = TimeSpan.FromSeconds(4), Assigned = TimeSpan.FromSeconds(3) });

        string page = await ScrapeAsync();

        Assert.Multiple(() =>
        {
            Assert.That(page, Does.Contain("""remoteexec_operations_total{pool="default",result="nonzero"} 1""" + "\n"));
            Assert.That(page, Does.Contain("""remoteexec_queue_wait_seconds_sum{pool="default"} 4""" + "\n"));
            Assert.That(page, Does.Contain("""remoteexec_operation_stage_seconds_sum{pool="default",stage="assign"} 3""" + "\n"));
            Assert.That(page, Does.Contain("""remoteexec_operation_stage_seconds_sum{pool="default",stage="run"} 2""" + "\n"));
            Assert.That(page, Does.Contain("\nremoteexec_queue_unsatisfiable_total 0\n"));
            Assert.That(_metrics.Totals.Executions, Is.EqualTo(1));
        });
    }

    [Test]
    public async Task What_nobody_could_run_is_refused_and_unsatisfiable()
    {
        _metrics.Scheduling.Ended(Execution(new ExecutionOutcome { Code = OutcomeCode.FailedPrecondition }) with { Attempt = 0, Pool = "" });

        string page = await ScrapeAsync();

        Assert.That(page, Does.Contain("\nremoteexec_queue_unsatisfiable_total 1\n"));
        Assert.That(page, Does.Contain("""remoteexec_operations_total{pool="",result="refused"} 1""" + "\n"));
    }

    [Test]
    public async Task How_long_an_evicted_blob_had_not_been_used_is_unknown_until_one_was()
    {
        var usage = new BlobStoreUsage(10, 0, 5, 100, 1, null, 0, EvictedAge: null, IsSuspect: false);
        _metrics.WatchBlobs(() => usage);
        string before = await ScrapeAsync();
        usage = usage with { EvictedAge = TimeSpan.FromSeconds(90) };

        Assert.That(before, Does.Contain("""remoteexec_cas_size_bytes{tier="disk"} 10""" + "\n").And.Not.Contain("remoteexec_cas_evicted_age_seconds{"));
        Assert.That(await ScrapeAsync(), Does.Contain("""remoteexec_cas_evicted_age_seconds{tier="disk"} 90""" + "\n"));
    }

    [Test]
    public async Task How_long_a_blob_is_guaranteed_to_be_kept_is_told_for_uses_and_for_hits()
    {
        var usage = new BlobStoreUsage(60, 0, 60, 100, 1, null, 0, EvictedAge: null, IsSuspect: false) { Retention = TimeSpan.FromHours(6), HitRetention = TimeSpan.FromHours(3) };
        _metrics.WatchBlobs(() => usage);

        string page = await ScrapeAsync();

        Assert.That(page, Does.Contain("""remoteexec_cas_retention_seconds{promise="use",tier="disk"} 21600""" + "\n"));
        Assert.That(page, Does.Contain("""remoteexec_cas_retention_seconds{promise="hit",tier="disk"} 10800""" + "\n"));
    }

    [Test]
    public async Task A_call_is_in_flight_until_it_is_counted_by_its_code()
    {
        _metrics.Rpc.CallStarted("/a.B/C");
        string before = await ScrapeAsync();
        _metrics.Rpc.CallFinished(Call());
        string after = await ScrapeAsync();

        Assert.That(before, Does.Contain("""remoteexec_rpc_server_in_flight{method="/a.B/C"} 1""" + "\n"));
        Assert.That(after, Does.Contain("""remoteexec_rpc_server_in_flight{method="/a.B/C"} 0""" + "\n")
            .And.Contain("""remoteexec_rpc_server_requests_total{method="/a.B/C",code="NotFound"} 1""" + "\n")
            .And.Contain("""remoteexec_rpc_server_bytes_total{method="/a.B/C",direction="sent"} 20""" + "\n"));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Only_a_trace_that_is_recorded_becomes_an_exemplar(bool isRecorded)
    {
        using var activity = new Activity("call");
        activity.SetIdFormat(ActivityIdFormat.W3C);
        activity.ActivityTraceFlags = isRecorded ? ActivityTraceFlags.Recorded : ActivityTraceFlags.None;
        activity.Start();
        _metrics.Rpc.CallFinished(Call());
        activity.Stop();

        string page = await _metrics.ScrapeAsync(ExpositionFormat.OpenMetricsText, default);

        Assert.That(page, isRecorded ? Does.Contain($"trace_id=\"{activity.TraceId}\"") : Does.Not.Contain("trace_id"));
        Assert.That(page, Does.EndWith("# EOF\n"));
    }

    [Test]
    public async Task An_exception_is_counted_by_its_type_also_when_it_was_handled()
    {
        try
        {
            throw new TimeZoneNotFoundException();
        }
        catch (TimeZoneNotFoundException)
        {
            // Handled.
        }

        Assert.That(await ScrapeAsync(), Does.Contain("""dotnet_exceptions_total{error_type="TimeZoneNotFoundException"} 1""" + "\n"));
    }

    private static RpcCallReport Call() => new("/a.B/C", StatusCode.NotFound, TimeSpan.FromSeconds(0.25), ReceivedBytes: 10, SentBytes: 20);

    private static WorkerSnapshot Worker(string pool, WorkerState state, int slotsUsed = 0) => new(
        new WorkerDescription { Id = "w", Pool = pool, Slots = 4, Version = "1" }, state, slotsUsed, [], Now, Now);

    private static CompletedExecution Execution(ExecutionOutcome outcome) => new(
        default,
        new ExecutionRequest
        {
            Instance = Core.InstanceName.Empty,
            Action = Core.Digest.Of(Core.DigestFunction.Sha256, "action"u8),
            Platform = Core.Platform.Empty,
            Timeout = TimeSpan.FromMinutes(1),
        },
        outcome, Attempt: 1, WorkerId: "w", Pool: "default", QueuedAt: Now, LeasedAt: null, StartedAt: null, CompletedAt: Now.AddSeconds(9));

    private Task<string> ScrapeAsync() => _metrics.ScrapeAsync(ExpositionFormat.PrometheusText, default);
}
