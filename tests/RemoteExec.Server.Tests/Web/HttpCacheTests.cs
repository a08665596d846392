using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;

namespace RemoteExec.Server.Tests;

/// <summary>The cache over HTTP/1.1: what clients without gRPC read and write, by the rules of those with it.</summary>
public sealed class HttpCacheTests
{
    private static readonly string Key = Sha("an action");

    private InProcessServer? _server;

    private HttpClient Http => _server!.Http; // set before a test runs

    [OneTimeSetUp]
    public async Task StartServerAsync() => _server = await InProcessServer.StartAsync("--max-cas-size", "64MiB");

    [OneTimeTearDown]
    public async Task StopServerAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
    }

    [Test]
    public async Task A_blob_is_read_as_it_was_written_in_every_instance()
    {
        Assert.That(await PutAsync($"cas/{Sha("content")}", "content"), Is.EqualTo(HttpStatusCode.OK));

        Assert.That(await Http.GetStringAsync($"cas/{Sha("content")}"), Is.EqualTo("content"));
        Assert.That(await Http.GetStringAsync($"some/instance/cas/{Sha("content")}"), Is.EqualTo("content"));
        using var head = await Http.SendAsync(new HttpRequestMessage(HttpMethod.Head, $"cas/{Sha("content")}"));
        Assert.That((head.StatusCode, head.Content.Headers.ContentLength), Is.EqualTo((HttpStatusCode.OK, (long?)7)));
        Assert.That(head.Content.Headers.ContentType?.MediaType, Is.EqualTo("application/octet-stream"), "nothing that a browser would run");
    }

    [Test]
    public async Task A_large_blob_travels_in_pieces()
    {
        byte[] large = RandomNumberGenerator.GetBytes(5_000_000);
        string hash = Convert.ToHexStringLower(SHA256.HashData(large));
        using var put = await Http.PutAsync($"cas/{hash}", new ByteArrayContent(large));

        Assert.That(put.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(await Http.GetByteArrayAsync($"cas/{hash}"), Is.EqualTo(large));
    }

    [Test]
    public async Task The_empty_blob_is_always_there_and_can_be_written()
    {
        Assert.That(await Http.GetStringAsync($"cas/{Sha("")}"), Is.Empty);
        Assert.That(await PutAsync($"cas/{Sha("")}", ""), Is.EqualTo(HttpStatusCode.OK));
    }

    [TestCase("cas")]
    [TestCase("ac")]
    [TestCase("instance/ac")]
    public async Task What_is_not_stored_is_not_found(string kind)
    {
        Assert.That(await GetAsync($"{kind}/{Sha("absent")}"), Is.EqualTo(HttpStatusCode.NotFound));
        using var head = await Http.SendAsync(new HttpRequestMessage(HttpMethod.Head, $"{kind}/{Sha("absent")}"));
        Assert.That(head.StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
    }

    [Test]
    public async Task Content_that_has_another_hash_is_stored_nowhere()
    {
        Assert.That(await PutAsync($"cas/{Sha("right")}", "wrong"), Is.EqualTo(HttpStatusCode.BadRequest));

        Assert.That(await GetAsync($"cas/{Sha("right")}"), Is.EqualTo(HttpStatusCode.NotFound));
        Assert.That(await GetAsync($"cas/{Sha("wrong")}"), Is.EqualTo(HttpStatusCode.NotFound));
    }

    [Test]
    public async Task A_result_is_answered_to_its_instance_when_all_that_is_in_it_is_stored()
    {
        string key = Sha("another action");
        var result = ResultOf("its output");
        Assert.That(await PutAsync($"ac/{key}", result), Is.EqualTo(HttpStatusCode.PreconditionFailed), "its output is not stored");
        Assert.That(await GetAsync($"ac/{key}"), Is.EqualTo(HttpStatusCode.NotFound));

        await PutAsync($"cas/{Sha("its output")}", "its output");
        Assert.That(await PutAsync($"ac/{key}", result), Is.EqualTo(HttpStatusCode.OK));

        var answer = ActionResult.Parser.ParseFrom(await Http.GetByteArrayAsync($"ac/{key}"));
        Assert.That(answer.OutputFiles.Single(), Is.EqualTo(result.OutputFiles.Single()));
        Assert.That(await GetAsync($"other/ac/{key}"), Is.EqualTo(HttpStatusCode.NotFound));
    }

    [Test]
    public async Task What_came_over_gRPC_is_read_once_a_result_names_it()
    {
        string output = (await _server!.Client.RunAsync("echo over gRPC > out.txt")).Result.OutputFiles.Single().Digest.Hash;
        var result = new ActionResult { OutputFiles = { new OutputFile { Path = "out.txt", Digest = new Digest { Hash = output, SizeBytes = 10 } } } };

        Assert.That(await GetAsync($"cas/{output}"), Is.EqualTo(HttpStatusCode.NotFound), "a hash without a size says nothing yet");
        await PutAsync($"ac/{Sha("names it")}", result);
        await Http.GetByteArrayAsync($"ac/{Sha("names it")}");

        Assert.That(await Http.GetStringAsync($"cas/{output}"), Is.EqualTo("over gRPC\n"));
    }

    [Test]
    public async Task What_is_no_result_or_no_success_is_refused()
    {
        Assert.That(await PutAsync($"ac/{Key}", "no message"), Is.EqualTo(HttpStatusCode.BadRequest));
        Assert.That(await PutAsync($"ac/{Key}", new ActionResult { ExitCode = 1 }), Is.EqualTo(HttpStatusCode.BadRequest));
        Assert.That(await PutAsync($"ac/{Key}", new ActionResult { OutputFiles = { new OutputFile { Path = "../out", Digest = new Digest { Hash = Sha(""), SizeBytes = 0 } } } }), Is.EqualTo(HttpStatusCode.BadRequest));
        Assert.That(await GetAsync($"ac/{Key}"), Is.EqualTo(HttpStatusCode.NotFound));
    }

    [TestCase("cas/xyz")]
    [TestCase("ac/")]
    [TestCase("cas/../../etc/passwd")]
    [TestCase("blobs/cas/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")] // no instance can be called so
    [TestCase("cas/E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855")]
    public async Task A_path_that_names_no_hash_is_refused(string path) =>
        Assert.That(await GetAsync(path), Is.EqualTo(HttpStatusCode.BadRequest).Or.EqualTo(HttpStatusCode.NotFound));

    [Test]
    public async Task Other_methods_are_not_allowed()
    {
        foreach (var method in new[] { HttpMethod.Delete, HttpMethod.Post, HttpMethod.Options })
        {
            using var response = await Http.SendAsync(new HttpRequestMessage(method, $"cas/{Key}"));
            Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.MethodNotAllowed), $"{method}");
        }
    }

    [TestCase("Transfer-Encoding: chunked", "411")]
    [TestCase("Content-Length: 99999999999999", "413")]
    public async Task An_upload_is_judged_by_its_size_before_it_comes(string header, string status)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, Http.BaseAddress!.Port);
        var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"PUT /cas/{Key} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n"));
        using var reader = new StreamReader(stream);

        Assert.That(await reader.ReadLineAsync(), Does.StartWith($"HTTP/1.1 {status}"));
    }

    [Test]
    public async Task A_result_that_is_too_long_is_refused_before_it_comes()
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, Http.BaseAddress!.Port);
        var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"PUT /ac/{Key} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n"));
        using var reader = new StreamReader(stream);

        Assert.That(await reader.ReadLineAsync(), Does.StartWith("HTTP/1.1 413"));
    }

    [Test]
    public async Task An_upload_that_ends_early_is_stored_nowhere()
    {
        using (var socket = new TcpClient())
        {
            await socket.ConnectAsync(IPAddress.Loopback, Http.BaseAddress!.Port);
            await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"PUT /cas/{Sha("early")} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\near"));
        }

        Assert.That(await GetAsync($"cas/{Sha("early")}"), Is.EqualTo(HttpStatusCode.NotFound));
        Assert.That(await PutAsync($"cas/{Sha("early")}", "early"), Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public async Task A_web_site_under_another_name_gets_nothing()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"cas/{Sha("")}") { Headers = { Host = "evil.example" } };
        using var response = await Http.SendAsync(request);

        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.MisdirectedRequest));
    }

    [Test]
    public async Task A_server_that_takes_no_results_from_clients_takes_none_here()
    {
        await using var server = await InProcessServer.StartAsync("--read-only-action-cache");
        using var put = await server.Http.PutAsync($"ac/{Key}", new ByteArrayContent(new ActionResult().ToByteArray()));

        Assert.That(put.StatusCode, Is.EqualTo(HttpStatusCode.Forbidden));
    }

    [TestCase("127.0.0.1:0", "0.0.0.0:0", HttpStatusCode.NotFound)] // the page only: its readers are not to write what gRPC was closed to
    [TestCase("0.0.0.0:0", "0.0.0.0:0", HttpStatusCode.OK)]
    [TestCase("0.0.0.0:0", "127.0.0.1:0", HttpStatusCode.OK)]
    public async Task It_is_there_for_those_who_reach_gRPC_too(string grpc, string http, HttpStatusCode status)
    {
        await using var server = await InProcessServer.StartAsync("--grpc", grpc, "--http", http);
        using var client = new HttpClient();
        using var response = await client.GetAsync($"http://127.0.0.1:{server.Host.Web.Address.Port}/cas/{Sha("")}");

        Assert.That(response.StatusCode, Is.EqualTo(status));
    }

    private static string Sha(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static ActionResult ResultOf(string output) =>
        new() { OutputFiles = { new OutputFile { Path = "out.txt", Digest = new Digest { Hash = Sha(output), SizeBytes = output.Length } } } };

    private Task<HttpStatusCode> PutAsync(string path, string content) => PutAsync(path, Encoding.UTF8.GetBytes(content));

    private Task<HttpStatusCode> PutAsync(string path, IMessage message) => PutAsync(path, message.ToByteArray());

    private async Task<HttpStatusCode> PutAsync(string path, byte[] content)
    {
        using var response = await Http.PutAsync(path, new ByteArrayContent(content));
        return response.StatusCode;
    }

    private async Task<HttpStatusCode> GetAsync(string path)
    {
        using var response = await Http.GetAsync(path);
        return response.StatusCode;
    }
}
