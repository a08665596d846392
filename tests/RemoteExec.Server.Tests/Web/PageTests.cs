using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace RemoteExec.Server.Tests;

/// <summary>The HTTP port of a running server, and its page as a browser renders it.</summary>
public sealed class PageTests
{
    private const string Chromium = "/usr/bin/chromium";

    private static readonly TimeSpan RenderWithin = TimeSpan.FromSeconds(60);

    private InProcessServer? _server;
    private string _id = "";

    private InProcessServer Server => _server ?? throw new InvalidOperationException("the server was not started");

    [OneTimeSetUp]
    public async Task StartServerAsync()
    {
        _server = await InProcessServer.StartAsync();
        await Server.Client.RunAsync("echo its first line; head -c 200000 /dev/zero | tr '\\0' x; echo; echo its last line");
        await Server.Client.RunAsync("echo to stdout; echo '<b>bold</b>' >&2; echo result > out.txt; exit 3", ("API_TOKEN", "s3cret"), ("LANG", "C"));
        _id = (await StatusAsync()).GetProperty("actions")[0].GetProperty("id").GetString()!;
    }

    [OneTimeTearDown]
    public async Task StopServerAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
    }

    [Test]
    public async Task Status_tells_workers_and_actions()
    {
        var status = await StatusAsync();

        Assert.Multiple(() =>
        {
            Assert.That(status.GetProperty("ready").GetBoolean());
            Assert.That(status.GetProperty("workers")[0].GetProperty("id").GetString(), Is.EqualTo("local"));
            Assert.That(status.GetProperty("actions")[0].GetProperty("exitCode").GetInt32(), Is.EqualTo(3));
            Assert.That(status.GetProperty("storage").GetProperty("blobs").GetInt64(), Is.Positive);
        });
    }

    [Test]
    public async Task The_live_stream_begins_with_the_present_status()
    {
        await using var stream = await Server.Http.GetStreamAsync("api/v1/live");
        using var reader = new StreamReader(stream);

        string? line = await reader.ReadLineAsync();

        Assert.That(line, Does.StartWith("data: {").And.Contains(_id));
    }

    [Test]
    public async Task An_action_shows_its_command_and_output_and_no_secret()
    {
        string json = await Server.Http.GetStringAsync($"api/v1/actions/{_id}");

        Assert.That(json, Does.Contain("to stdout").And.Contains("LANG=C").And.Contains("out.txt").And.Contains("API_TOKEN=(not shown)"));
        Assert.That(json, Does.Not.Contain("s3cret"));
    }

    [Test] // the last lines say what went wrong
    public async Task F16_a_long_output_shows_both_its_ends_and_how_much_is_not_shown()
    {
        string id = (await StatusAsync()).GetProperty("actions").EnumerateArray().Select(row => row.GetProperty("id").GetString()!).Single(each => each != _id);

        var output = (await Server.Http.GetFromJsonAsync<JsonElement>($"api/v1/actions/{id}")).GetProperty("stdout");

        Assert.That(output.GetProperty("truncated").GetBoolean());
        Assert.That(output.GetProperty("text").GetString(), Does.StartWith("its first line\nxxx").And.EndWith("xxx\nits last line\n"));
        Assert.That(output.GetProperty("text").GetString(), Does.Contain($"\n… {200_030 - (64 << 10)} bytes are not shown here …\n"));
    }

    [Test]
    public async Task A_property_that_was_left_out_of_account_is_marked() =>
        Assert.That(await Server.Http.GetStringAsync($"api/v1/actions/{_id}"), Does.Contain("resources:cpu=1 (left out of account)"));

    [Test]
    public async Task An_action_is_found_by_its_digest_too()
    {
        string digest = (await StatusAsync()).GetProperty("actions")[0].GetProperty("actionDigest").GetString()!;

        var action = await Server.Http.GetFromJsonAsync<JsonElement>($"api/v1/actions/{digest.Replace('/', '-')}");

        Assert.That(action.GetProperty("id").GetString(), Is.EqualTo(_id));
    }

    [Test]
    public async Task A_blob_is_plain_text_whatever_it_is()
    {
        var action = await Server.Http.GetFromJsonAsync<JsonElement>($"api/v1/actions/{_id}");

        using var answer = await Server.Http.GetAsync(action.GetProperty("outputs")[0].GetProperty("blobUrl").GetString());

        Assert.That(answer.Content.Headers.ContentType?.MediaType, Is.EqualTo("text/plain"));
        Assert.That(await answer.Content.ReadAsStringAsync(), Is.EqualTo("result\n"));
    }

    [TestCase("nothing", HttpStatusCode.NotFound)]
    [TestCase("nothing.txt", HttpStatusCode.NotFound)]
    [TestCase("api/v1/actions/0123456789abcdef0123456789abcdef", HttpStatusCode.NotFound)]
    [TestCase("action/nonsense", HttpStatusCode.NotFound)]
    [TestCase("api/v1/blobs/sha256/nonsense/3", HttpStatusCode.BadRequest)]
    [TestCase("healthz", HttpStatusCode.OK)]
    [TestCase("readyz", HttpStatusCode.OK)]
    public async Task Every_route_answers_as_it_should(string path, HttpStatusCode expected)
    {
        using var answer = await Server.Http.GetAsync(path);

        Assert.That(answer.StatusCode, Is.EqualTo(expected));
        Assert.That(answer.Headers.GetValues("Content-Security-Policy").Single(), Does.StartWith("default-src 'none'"));
    }

    [TestCase("attacker.example", HttpStatusCode.MisdirectedRequest)]
    [TestCase("localhost", HttpStatusCode.OK)]
    [TestCase("[::1]", HttpStatusCode.OK)]
    public async Task A_name_that_is_not_of_loopback_gets_no_answer(string host, HttpStatusCode expected)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "api/v1/status");
        request.Headers.Host = host;

        using var answer = await Server.Http.SendAsync(request);

        Assert.That(answer.StatusCode, Is.EqualTo(expected));
    }

    [TestCase("remoteexec_queue_operations")]
    [TestCase("remoteexec_queue_oldest_operation_age_seconds")]
    [TestCase("remoteexec_operation_stage_seconds_bucket")]
    [TestCase("remoteexec_action_cache_requests_total")]
    [TestCase("remoteexec_rpc_server_bytes_total")]
    [TestCase("remoteexec_workers")]
    [TestCase("# TYPE remoteexec_operation_retries_total counter")]
    public async Task The_metrics_that_operators_are_promised_are_there(string name)
    {
        Assert.That(await Server.Http.GetStringAsync("metrics"), Does.Contain(name));
    }

    [TestCase(null, "text/plain; version=0.0.4; charset=utf-8")]
    [TestCase("text/plain;version=0.0.4", "text/plain; version=0.0.4; charset=utf-8")]
    // As Prometheus asks.
    [TestCase("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3", "application/openmetrics-text; version=1.0.0; charset=utf-8")]
    public async Task Metrics_come_in_the_format_that_is_accepted(string? accept, string expected)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "metrics");
        if (accept is not null) request.Headers.Add("Accept", accept);

        using var answer = await Server.Http.SendAsync(request);

        Assert.That(answer.Content.Headers.ContentType!.ToString(), Is.EqualTo(expected));
    }

    [Test]
    public async Task A_browser_shows_the_worker_and_the_action()
    {
        string page = await RenderAsync("");

        Assert.That(page, Does.Contain(">local</td>").And.Contains($"/action/{_id}\"").And.Contains("exit 3"));
    }

    [Test]
    public async Task A_browser_shows_hostile_output_as_text()
    {
        string page = await RenderAsync($"action/{_id}");

        Assert.That(page, Does.Contain("&lt;b&gt;bold&lt;/b&gt;").And.Contains("API_TOKEN=(not shown)"));
        Assert.That(page, Does.Not.Contain("<b>bold</b>"));
    }

    private async Task<JsonElement> StatusAsync() => await Server.Http.GetFromJsonAsync<JsonElement>("api/v1/status");

    // The page is complete when it is loaded, so the browser has nothing to wait for.
    private async Task<string> RenderAsync(string path)
    {
        if (!File.Exists(Chromium)) Assert.Fail($"{Chromium} is missing: install the Debian package chromium");
        using var profile = new TemporaryFolder();
        var start = new ProcessStartInfo(Chromium, [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", $"--user-data-dir={profile.Path}", "--timeout=8000", "--dump-dom",
            new Uri(Server.Http.BaseAddress!, path).ToString()]) { RedirectStandardOutput = true };
        using var browser = Process.Start(start)!;
        try
        {
            return await browser.StandardOutput.ReadToEndAsync().WaitAsync(RenderWithin);
        }
        finally
        {
            browser.Kill(entireProcessTree: true);
            await browser.WaitForExitAsync();
        }
    }
}
