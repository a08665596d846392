using System.Collections;
using System.Net;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging.Abstractions;
using NUnit.Framework;
using RemoteExec.Hosting;
using RemoteExec.Protocol.V1;
using RemoteExec.Storage;

namespace RemoteExec.Worker.Tests;

/// <summary>rexec-worker --http: what a scraper and a probe find there.</summary>
public sealed partial class WorkerPortTests
{
    private static readonly BlobStoreUsage Usage = new(7, 0, 0, 100, 1, OldestUse: null, 0, EvictedAge: null, IsSuspect: false);

    private readonly WorkerMetrics _metrics = new();
    private WebApplication _application = null!;
    private HttpClient _http = null!;

    [OneTimeSetUp]
    public async Task Serve()
    {
        _metrics.Describe(new WorkerOptions { DataDirectory = "/data", WorkerId = "w1", Slots = 3 }, () => Usage);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        WorkerPort.AddTo(builder, new IPEndPoint(IPAddress.Loopback, 0));
        _application = builder.Build();
        WorkerPort.UseOn(_application, _metrics);
        await _application.StartAsync();
        _http = new HttpClient { BaseAddress = new Uri(_application.Urls.Single()) };
    }

    [OneTimeTearDown]
    public async Task End()
    {
        _http.Dispose();
        await _application.DisposeAsync();
    }

    [Test]
    public async Task A_worker_that_lives_says_so() => Assert.That(await _http.GetStringAsync("healthz"), Is.EqualTo("ok\n"));

    [Test]
    public async Task Its_numbers_are_counted_by_attempt()
    {
        var runner = _metrics.Watch((lease, _, _) => lease.Lease_.ExecutionId == "stopped"
            ? throw new OperationCanceledException()
            : ValueTask.FromResult(new FinishedAttempt(lease.Lease_.ExecutionId == "none" ? null : new ReportRequest(), Remains: null)));

        await runner(LeaseOf("well"), _ => { }, default);
        await runner(LeaseOf("none"), _ => { }, default);
        Assert.That(async () => await runner(LeaseOf("stopped"), _ => { }, default), Throws.InstanceOf<OperationCanceledException>());

        string page = await _http.GetStringAsync("metrics");
        Assert.That(page, Does.Contain("remoteexec_worker_attempts_total{end=\"reported\"} 1\n"));
        Assert.That(page, Does.Contain("remoteexec_worker_attempts_total{end=\"cancelled\"} 2\n"));
        Assert.That(page, Does.Contain("remoteexec_worker_attempts_in_flight 0\n"));
        Assert.That(page, Does.Contain("remoteexec_worker_slots 3\n").And.Contain("remoteexec_worker_cache_size_bytes 7\n").And.Contain("remoteexec_worker_cache_limit_bytes 100\n"));
        Assert.That(page, Does.Contain("remoteexec_worker_info{worker=\"w1\",pool=\"default\""));
    }

    [Test]
    public async Task Every_number_of_its_own_is_in_the_table_of_its_page_and_no_other()
    {
        string page = await _http.GetStringAsync("metrics");
        var announced = Announced().Matches(page).Select(match => match.Groups["name"].Value).Where(name => name.StartsWith("remoteexec_", StringComparison.Ordinal));
        string readme = await File.ReadAllTextAsync(Path.Combine(RepositoryRoot(), "workers/RemoteExec.Worker/README.md"));

        Assert.That(Documented().Matches(readme).Select(match => match.Groups["name"].Value), Is.EquivalentTo(announced));
    }

    [Test]
    public async Task Promtool_finds_nothing_to_say_about_its_page() => await Promtool.ShouldTakeAsync(await _http.GetStringAsync("metrics"));

    [Test]
    public void A_port_that_another_program_has_is_named_with_its_option()
    {
        var flags = WorkerFlags.Table.Read(["--http", "127.0.0.1:9100"], new Hashtable()).Options!; // they are right
        var refusal = new WorkerHost().Explain(new IOException("Failed to bind", new Microsoft.AspNetCore.Connections.AddressInUseException("in use")), flags);

        Assert.That((refusal?.ExitCode, refusal?.Sentence), Is.EqualTo((ExitCode.Unavailable, "127.0.0.1:9100 is in use by another program; stop it, or choose another address with --http HOST:PORT")));
    }

    private static Lease LeaseOf(string execution) => new() { Lease_ = new LeaseId { ExecutionId = execution } };

    private static string RepositoryRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "RemoteExec.sln"))) return folder.FullName;
        }

        throw new DirectoryNotFoundException($"no RemoteExec.sln above {AppContext.BaseDirectory}");
    }

    [GeneratedRegex(@"^# TYPE (?<name>\w+) ", RegexOptions.Multiline)]
    private static partial Regex Announced();

    [GeneratedRegex(@"^\| `(?<name>remoteexec_worker_\w+)` \|", RegexOptions.Multiline)]
    private static partial Regex Documented();
}
