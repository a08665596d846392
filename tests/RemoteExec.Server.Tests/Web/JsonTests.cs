using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Build.Bazel.Remote.Execution.V2;
using Google.Api;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using RemoteExec.Protocol;
using RemoteExec.Rpc;
using RemoteExec.Storage;
using RemoteExec.Web;
using Digest = Build.Bazel.Remote.Execution.V2.Digest;
using Directory = Build.Bazel.Remote.Execution.V2.Directory;

namespace RemoteExec.Server.Tests;

/// <summary>REAPI over HTTP and JSON, by the routes that its methods are annotated with (REAPI R30, G6).</summary>
public sealed class JsonTests
{
    // A line that does not come fails the test, and does not hang the run.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private InProcessServer? _server;

    private InProcessServer Server => _server!; // set before a test runs

    [OneTimeSetUp]
    public async Task StartServerAsync() => _server = await InProcessServer.StartAsync("--slots", "1");

    [OneTimeTearDown]
    public async Task StopServerAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
    }

    [Test]
    public void Every_annotation_of_the_protocol_has_its_route() // REAPI R30
    {
        FileDescriptor[] files =
        [
            Capabilities.Descriptor.File, Google.LongRunning.Operations.Descriptor.File, Build.Bazel.Remote.Asset.v1.Fetch.Descriptor.File,
            Build.Bazel.Remote.LogStream.v1.LogStreamService.Descriptor.File, Google.Bytestream.ByteStream.Descriptor.File,
        ];
        var annotated = files.SelectMany(file => file.Services).SelectMany(service => service.Methods)
            .Select(method => method.GetOptions()?.GetExtension(AnnotationsExtensions.Http))
            .OfType<HttpRule>()
            .Select(rule => $"{rule.PatternCase.ToString().ToUpperInvariant()} {TemplateOf(rule.Get + rule.Put + rule.Post + rule.Delete)} {rule.Body}");

        using var nowhere = RpcChannels.Create(new Uri("http://127.0.0.1:1"));
        Assert.That(JsonRoutes.Of(nowhere.CreateCallInvoker()).Select(route => $"{route.HttpMethod} {route.Root}{route.Template} {route.Body}"), Is.EquivalentTo(annotated));

        static string TemplateOf(string pattern) =>
            pattern.Replace("{instance_name=**}/", "").Replace("{name=operations/**}", "operations/{id}").Replace("{name=operations}", "operations");
    }

    [TestCase("v2/capabilities")]
    [TestCase("v2//capabilities")]
    [TestCase("v2/some/instance/capabilities")]
    [TestCase("v2/cas/capabilities")]
    public async Task Capabilities_are_told(string path)
    {
        using var answer = await GetAsync(path);

        Assert.That(answer.RootElement.GetProperty("cacheCapabilities").GetProperty("digestFunctions")[0].GetString(), Is.EqualTo("SHA256"));
        Assert.That(answer.RootElement.GetProperty("lowApiVersion").GetProperty("major").GetInt32(), Is.EqualTo(2));
    }

    [Test]
    public async Task Blobs_are_looked_for_written_and_read()
    {
        var digest = Core.Digest.Of(Core.DigestFunction.Sha256, "by json"u8);
        string wire = Json(digest.ToWire());

        using var missing = await PostAsync("v2/i/blobs:findMissing", $$"""{"blobDigests": [{{wire}}]}""");
        using var written = await PostAsync("v2/i/blobs:batchUpdate", $$"""{"requests": [{"digest": {{wire}}, "data": "{{Convert.ToBase64String("by json"u8)}}"}]}""");
        using var read = await PostAsync("v2/i/blobs:batchRead", $$"""{"digests": [{{wire}}]}""");
        using var present = await PostAsync("v2/i/blobs:findMissing", $$"""{"blobDigests": [{{wire}}]}""");

        Assert.That(missing.RootElement.GetProperty("missingBlobDigests")[0].GetProperty("hash").GetString(), Is.EqualTo(digest.Hash));
        Assert.That(written.RootElement.GetProperty("responses")[0].GetProperty("digest").GetProperty("sizeBytes").GetString(), Is.EqualTo("7"));
        Assert.That(read.RootElement.GetProperty("responses")[0].GetProperty("data").GetBytesFromBase64(), Is.EqualTo("by json"u8.ToArray()));
        Assert.That(present.RootElement.TryGetProperty("missingBlobDigests", out _), Is.False);
    }

    [Test]
    public async Task A_tree_is_listed_a_line_for_each_page()
    {
        var child = await PutAsync(new Directory { Symlinks = { new SymlinkNode { Name = "l", Target = "x" } } });
        var root = await PutAsync(new Directory { Directories = { new DirectoryNode { Name = "d", Digest = child.ToWire() } } });

        string text = await Server.Http.GetStringAsync($"v2/blobs/{root.Hash}/{root.SizeBytes}:getTree?pageSize=1");

        string[] lines = text.TrimEnd('\n').Split('\n');
        Assert.That(lines, Has.Length.EqualTo(2));
        Assert.That(JsonDocument.Parse(lines[1]).RootElement.GetProperty("directories")[0].GetProperty("symlinks")[0].GetProperty("target").GetString(), Is.EqualTo("x"));
    }

    [Test]
    public async Task Blobs_are_split_and_spliced()
    {
        byte[] bytes = new byte[200_000];
        var large = await Server.Client.Blobs.WriteAllAsync(Core.DigestFunction.Sha256, bytes, default);
        var (a, b) = (await PutAsync("first"), await PutAsync("second"));
        var both = Core.Digest.Of(Core.DigestFunction.Sha256, "firstsecond"u8);

        using var split = await GetAsync($"v2/blobs/{large.Hash}/{large.SizeBytes}:splitBlob?chunkingFunction=FAST_CDC_2020");
        using var spliced = await PostAsync("v2/blobs:spliceBlob", $$"""{"blobDigest": {{Json(both.ToWire())}}, "chunkDigests": [{{Json(a.ToWire())}}, {{Json(b.ToWire())}}]}""");

        Assert.That(split.RootElement.GetProperty("chunkDigests").EnumerateArray().Sum(chunk => long.Parse(chunk.GetProperty("sizeBytes").GetString()!)), Is.EqualTo(large.SizeBytes));
        Assert.That(spliced.RootElement.GetProperty("blobDigest").GetProperty("hash").GetString(), Is.EqualTo(both.Hash));
        Assert.That((await Server.Client.Blobs.ReadAllAsync(both, 100, default))!.Value.ToArray(), Is.EqualTo("firstsecond"u8.ToArray()));
    }

    [Test]
    public async Task Results_are_stored_and_told()
    {
        var action = Core.Digest.Of(Core.DigestFunction.Sha256, "an action of json's"u8);
        var output = await PutAsync("output");
        string path = $"v2/deep/er/actionResults/{action.Hash}/{action.SizeBytes}";

        Assert.That((await SendAsync(HttpMethod.Get, path)).Status, Is.EqualTo(HttpStatusCode.NotFound));
        var put = await SendAsync(HttpMethod.Put, path, $$"""{"outputFiles": [{"digest": {{Json(output.ToWire())}}, "path": "out"}]}""");
        using var got = await GetAsync(path + "?inlineOutputFiles=out&inlineOutputFiles=other");

        Assert.That(put.Status, Is.EqualTo(HttpStatusCode.OK), put.Text);
        Assert.That(got.RootElement.GetProperty("outputFiles")[0].GetProperty("contents").GetBytesFromBase64(), Is.EqualTo("output"u8.ToArray()));
    }

    [Test] // REAPI T2, R30
    public async Task What_an_action_used_in_Buildbarns_words_has_its_form_in_JSON()
    {
        var action = Core.Digest.Of(Core.DigestFunction.Sha256, "an action that used something"u8);
        string path = $"v2/deep/er/actionResults/{action.Hash}/{action.SizeBytes}";
        const string Note = """{"@type": "type.googleapis.com/buildbarn.resourceusage.POSIXResourceUsage", "pageReclaims": "7", "terminationSignal": "KILL"}""";

        var put = await SendAsync(HttpMethod.Put, path, $$"""{"exitCode": 0, "executionMetadata": {"worker": "w", "auxiliaryMetadata": [{{Note}}] } }""");
        using var got = await GetAsync(path);

        Assert.That(put.Status, Is.EqualTo(HttpStatusCode.OK), put.Text);
        var told = got.RootElement.GetProperty("executionMetadata").GetProperty("auxiliaryMetadata")[0];
        Assert.That((told.GetProperty("pageReclaims").GetString(), told.GetProperty("terminationSignal").GetString()), Is.EqualTo(("7", "KILL")));
    }

    [Test]
    public async Task Actions_are_executed_and_waited_for_a_line_for_each_state()
    {
        var action = await Server.Client.UploadAsync("echo by json; echo x > out.txt");

        string executed = (await SendAsync(HttpMethod.Post, "v2/actions:execute", $$"""{"actionDigest": {{Json(action.ToWire())}}, "inlineStdout": true}""")).Text;
        Assert.That(executed, Does.Not.Contain("\"error\""));
        var last = JsonDocument.Parse(executed.TrimEnd('\n').Split('\n')[^1]).RootElement;
        string waited = (await SendAsync(HttpMethod.Post, $"v2/{last.GetProperty("name").GetString()}:waitExecution", "{}")).Text;

        Assert.That(last.GetProperty("done").GetBoolean(), Is.True);
        Assert.That(last.GetProperty("response").GetProperty("result").GetProperty("stdoutRaw").GetBytesFromBase64(), Is.EqualTo("by json\n"u8.ToArray()));
        Assert.That(JsonDocument.Parse(waited.TrimEnd('\n').Split('\n')[^1]).RootElement.GetProperty("done").GetBoolean(), Is.True);
    }

    [Test]
    public async Task Operations_are_listed_looked_at_cancelled_and_forgotten() // REAPI E20, R30
    {
        var action = await Server.Client.UploadAsync("while :; do sleep 0.1; done");
        using var execution = new HttpRequestMessage(HttpMethod.Post, "v2/listed/actions:execute")
        {
            Content = new StringContent($$"""{"actionDigest": {{Json(action.ToWire())}}}""", Encoding.UTF8, "application/json"),
        };
        using var running = await Server.Http.SendAsync(execution, HttpCompletionOption.ResponseHeadersRead);
        using var lines = new StreamReader(await running.Content.ReadAsStreamAsync());
        string name = JsonDocument.Parse((await lines.ReadLineAsync().WaitAsync(Patience))!).RootElement.GetProperty("name").GetString()!;

        using var listed = await GetAsync("v1/listed/operations?filter=" + Uri.EscapeDataString("stage != completed"));
        using var none = await GetAsync("v1/operations?pageSize=5&filter=" + Uri.EscapeDataString("stage = executing"));
        using var open = await GetAsync($"v1/{name}");
        Assert.That(listed.RootElement.GetProperty("operations").EnumerateArray().Select(each => each.GetProperty("name").GetString()), Is.EqualTo(new[] { name }));
        Assert.That(none.RootElement.TryGetProperty("operations", out _), Is.False, "of another instance");
        Assert.That(open.RootElement.GetProperty("metadata").GetProperty("actionDigest").GetProperty("hash").GetString(), Is.EqualTo(action.Hash));

        using var cancelled = await PostAsync($"v1/{name}:cancel", "{}");
        string last = "";
        while (await lines.ReadLineAsync().WaitAsync(Patience) is { } line) last = line;
        using var done = await GetAsync($"v1/{name}");
        Assert.That(JsonDocument.Parse(last).RootElement.GetProperty("response").GetProperty("status").GetProperty("code").GetInt32(), Is.EqualTo(1), "CANCELLED");
        Assert.That(done.RootElement.GetProperty("done").GetBoolean(), Is.True);

        Assert.That(await SendAsync(HttpMethod.Delete, $"v1/{name}"), Is.EqualTo((HttpStatusCode.OK, "{ }\n")));
        Assert.That((await SendAsync(HttpMethod.Get, $"v1/{name}")).Status, Is.EqualTo(HttpStatusCode.NotFound));
    }

    [Test]
    public async Task Assets_are_pushed_and_fetched() // REAPI S1, S3, R30
    {
        var blob = await PutAsync("an asset by json");
        var folder = await PutAsync(new Directory { Symlinks = { new SymlinkNode { Name = "l", Target = "asset" } } });
        string uris = $"\"uris\": [\"https://assets.invalid/{Guid.NewGuid():N}\"]";

        using var pushedBlob = await PostAsync("v1/some/where/assets:pushBlob", $$"""{ {{uris}}, "blobDigest": {{Json(blob.ToWire())}} }""");
        using var pushedFolder = await PostAsync("v1/some/where/assets:pushDirectory", $$"""{ {{uris}}, "rootDirectoryDigest": {{Json(folder.ToWire())}} }""");
        using var fetchedBlob = await PostAsync("v1/some/where/assets:fetchBlob", $$"""{ {{uris}} }""");
        using var fetchedFolder = await PostAsync("v1/some/where/assets:fetchDirectory", $$"""{ {{uris}} }""");

        Assert.That(fetchedBlob.RootElement.GetProperty("blobDigest").GetProperty("hash").GetString(), Is.EqualTo(blob.Hash));
        Assert.That(fetchedFolder.RootElement.GetProperty("rootDirectoryDigest").GetProperty("hash").GetString(), Is.EqualTo(folder.Hash));
    }

    [Test]
    public async Task A_failure_is_a_status_with_its_details()
    {
        var (status, text) = await SendAsync(HttpMethod.Post, "v2/actions:execute", $$"""{"actionDigest": {"hash": "{{new string('a', 64)}}", "sizeBytes": "5"} }""");

        Assert.That(status, Is.EqualTo(HttpStatusCode.BadRequest));
        var failure = JsonDocument.Parse(text).RootElement;
        Assert.That(failure.GetProperty("code").GetInt32(), Is.EqualTo(9)); // FAILED_PRECONDITION
        Assert.That(failure.GetProperty("details")[0].GetProperty("violations")[0].GetProperty("type").GetString(), Is.EqualTo("MISSING"));
    }

    [TestCase("GET", "v2/actionResults/zz/5", null, 400)]
    [TestCase("GET", "v2/actionResults/zz/five", null, 400)]
    [TestCase("GET", "v2/capabilities?colour=red", null, 400)]
    [TestCase("GET", "v2/capabilities?instance_name=x", null, 400)]
    [TestCase("GET", "v2/blobs/capabilities", null, 400)]
    [TestCase("POST", "v2/blobs:findMissing", "no json", 400)]
    [TestCase("POST", "v2/blobs:findMissing", """{"colour": 1}""", 400)]
    [TestCase("POST", "v2/blobs:findMissing?digestFunction=SHA256", "{}", 400)]
    [TestCase("POST", "v2/actions:execute", "{}", 400)]
    [TestCase("POST", "v2/operations/unknown:waitExecution", "{}", 404)]
    [TestCase("GET", "v1/operations/unknown", null, 404)]
    [TestCase("DELETE", "v1/operations/unknown", null, 404)]
    [TestCase("POST", "v1/operations/unknown:cancel", "{}", 404)]
    [TestCase("PUT", "v1/operations/unknown", null, 405)]
    [TestCase("GET", "v1/operations?pageSize=-1", null, 400)]
    [TestCase("GET", "v1/operations?filter=colour", null, 400)]
    [TestCase("GET", "v2/operations/unknown", null, 404, Description = "which v1 has")]
    [TestCase("POST", "v1/assets:fetchBlob", "{}", 400)]
    [TestCase("POST", "v1/blobs/assets:fetchBlob", "{}", 400)]
    [TestCase("POST", "v1/assets:pushBlob", "{}", 400)]
    [TestCase("GET", "v1/capabilities", null, 404)]
    [TestCase("DELETE", "v2/capabilities", null, 405)]
    [TestCase("GET", "v2/blobs:findMissing", null, 405)]
    [TestCase("GET", "v2/blobs:colour", null, 404)]
    public async Task What_is_wrong_is_told_by_its_code(string method, string path, string? body, int expected) =>
        Assert.That((int)(await SendAsync(new HttpMethod(method), path, body)).Status, Is.EqualTo(expected));

    [Test]
    public async Task A_body_that_is_no_json_by_its_type_or_too_large_is_refused() // what a form of another site sends, TRUST 4.1
    {
        using var form = await Server.Http.PostAsync("v2/blobs:findMissing", new StringContent("{}", Encoding.UTF8, "text/plain"));
        using var large = new HttpRequestMessage(HttpMethod.Post, "v2/blobs:findMissing") { Content = new ByteArrayContent(new byte[JsonGateway.BodyBytesMax + 1]) };
        large.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        large.Headers.ExpectContinue = true; // so that the answer is read, whatever has been sent
        using var refused = await Server.Http.SendAsync(large);

        Assert.That((form.StatusCode, refused.StatusCode), Is.EqualTo((HttpStatusCode.UnsupportedMediaType, HttpStatusCode.RequestEntityTooLarge)));
    }

    [Test]
    public async Task Pages_are_where_they_were() // REAPI G6
    {
        foreach (string path in new[] { "", "healthz", "api/v1/status", "metrics" })
        {
            using var page = await Server.Http.GetAsync(path);
            Assert.That(page.StatusCode, Is.EqualTo(HttpStatusCode.OK), path);
        }
    }

    private static string Json(Digest digest) => $$"""{"hash": "{{digest.Hash}}", "sizeBytes": "{{digest.SizeBytes}}"}""";

    private async Task<Core.Digest> PutAsync(IMessage message) => await Server.Client.Blobs.WriteAllAsync(Core.DigestFunction.Sha256, message.ToByteArray(), default);

    private async Task<Core.Digest> PutAsync(string text) => await Server.Client.Blobs.WriteAllAsync(Core.DigestFunction.Sha256, Encoding.UTF8.GetBytes(text), default);

    [Test]
    public async Task Fetches_from_an_origin_that_says_nothing_keep_no_other_call_waiting()
    {
        await using var server = await InProcessServer.StartAsync("--slots", "1", "--fetch-allow", "127.0.0.1");
        using var origin = new TcpListener(IPAddress.Loopback, 0);
        origin.Start();
        using var leaving = new CancellationTokenSource(Patience);
        string body = $$"""{"uris": ["http://{{origin.LocalEndpoint}}/never"]}""";
        var fetches = Enumerable.Range(0, 40).Select(_ => server.Http.PostAsync(
            new Uri(server.Http.BaseAddress + "v1/assets:fetchBlob"), new StringContent(body, Encoding.UTF8, "application/json"), leaving.Token)).ToList();
        using var asked = await origin.AcceptTcpClientAsync(leaving.Token);

        for (int i = 0; i < 20; i++) await server.Http.GetStringAsync(new Uri(server.Http.BaseAddress + "v2/capabilities"), leaving.Token);

        await leaving.CancelAsync();
        foreach (var fetch in fetches) await Task.WhenAny(fetch);
    }

    private async Task<JsonDocument> GetAsync(string path) => Parsed(await SendAsync(HttpMethod.Get, path));

    private async Task<JsonDocument> PostAsync(string path, string body) => Parsed(await SendAsync(HttpMethod.Post, path, body));

    private static JsonDocument Parsed((HttpStatusCode Status, string Text) answer)
    {
        Assert.That(answer.Status, Is.EqualTo(HttpStatusCode.OK), answer.Text);
        return JsonDocument.Parse(answer.Text);
    }

    private async Task<(HttpStatusCode Status, string Text)> SendAsync(HttpMethod method, string path, string? body = null)
    {
        // As it stands: two slashes are an empty instance.
        using var request = new HttpRequestMessage(method, new Uri(Server.Http.BaseAddress + path));
        if (body is not null) request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await Server.Http.SendAsync(request);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }
}
