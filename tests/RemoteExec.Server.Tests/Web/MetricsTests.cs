namespace RemoteExec.Server.Tests;

/// <summary>What /metrics says, held against the table of metrics in RemoteExec.Observability's README, both ways.</summary>
public sealed class MetricsTests
{
    private readonly TemporaryFolder _data = new();
    private string _text = "";
    private MetricsPage _page = MetricsPage.Parse("");
    private IReadOnlyDictionary<string, DocumentedMetric> _documented = new Dictionary<string, DocumentedMetric>();

    [OneTimeSetUp]
    public async Task ScrapeABusyServerAsync()
    {
        // A process of its own: instruments of the other servers in this one are none of its business.
        await using var server = ServerProgram.Start("--data-dir", _data.Path);
        using var client = new RemoteClient(await server.ReadyAsync());
        await client.RunAsync("echo once > out.txt");
        await client.RunAsync("echo once > out.txt");
        await client.RunAsync("exit 3");
        using var http = new HttpClient { BaseAddress = server.HttpAddress };
        _text = await http.GetStringAsync("metrics");
        _page = MetricsPage.Parse(_text);
        _documented = DocumentedMetric.ReadTable(Path.Combine(AppContext.BaseDirectory, "Observability.md"));
        server.Terminate();
        await server.ExitedAsync();
    }

    [OneTimeTearDown]
    public void RemoveData() => _data.Dispose();

    [Test]
    public void Every_metric_on_the_page_is_a_row_and_every_row_is_on_the_page()
    {
        Assert.Multiple(() =>
        {
            Assert.That(_page.Families.Keys.Except(_documented.Keys), Is.Empty, "on the page, without a row");
            Assert.That(_documented.Keys.Except(_page.Families.Keys), Is.Empty, "a row, not on the page");
        });
    }

    [Test]
    public void Every_metric_has_the_type_of_its_row()
    {
        Assert.That(_page.Families.Where(family => _documented.GetValueOrDefault(family.Key)?.Type != family.Value), Is.Empty);
    }

    [Test]
    public void Every_series_carries_the_labels_of_its_row_and_no_value_that_the_row_does_not_know()
    {
        Assert.Multiple(() =>
        {
            foreach (var (family, labels, _) in _page.Samples)
            {
                var row = _documented[family];
                Assert.That(labels.Keys.Order(), Is.EqualTo(row.Labels.Keys.Order()), family);
                foreach (var (label, value) in labels)
                {
                    if (row.Labels[label].Count > 0)
                        Assert.That(row.Labels[label], Does.Contain(value), $"{family} {label}");
                }
            }
        });
    }

    [Test]
    public void Every_name_follows_the_conventions_of_its_type()
    {
        Assert.Multiple(() =>
        {
            foreach (var (name, row) in _documented)
            {
                Assert.That(name.EndsWith("_total", StringComparison.Ordinal), Is.EqualTo(row.Type == "counter"), name);
                Assert.That(row.Unit, Is.Not.Empty, name);
            }
        });
    }

    [Test]
    public void Every_family_explains_itself()
    {
        Assert.That(_page.Families.Keys.Where(family => _page.HelpOf(family).Length == 0), Is.Empty);
    }

    [Test]
    public Task Promtool_finds_nothing_to_say_about_the_page() => Promtool.ShouldTakeAsync(_text);

    [Test]
    public void What_the_server_did_was_counted()
    {
        Assert.Multiple(() =>
        {
            Assert.That(_page.Value("remoteexec_operations_total", "result", "ok"), Is.EqualTo(1));
            Assert.That(_page.Value("remoteexec_operations_total", "result", "nonzero"), Is.EqualTo(1));
            Assert.That(_page.Value("remoteexec_action_cache_requests_total", "result", "hit"), Is.EqualTo(1));
            Assert.That(_page.Value("remoteexec_cas_transfer_bytes_total", "direction", "received"), Is.Positive);
            Assert.That(_page.Value("remoteexec_worker_connections_total", "pool", "default"), Is.EqualTo(1));
        });
    }
}
