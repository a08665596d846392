using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace RemoteExec.Cli.Tests;

/// <summary>What is said to someone who has this program and nothing else.</summary>
internal sealed class WordsTests : CliFixture
{
    private static readonly string Absent = $"{new string('a', 64)}/5";

    [Test]
    public async Task F24_a_server_that_is_not_there_is_told_by_its_address_and_without_paths_of_a_source_tree()
    {
        string address = $"127.0.0.1:{FreePort.Next()}";

        var answer = await RunAtAsync(address, input: null, isWatched: false, "cat", Absent);

        Assert.That(answer.ExitCode, Is.EqualTo(Unavailable));
        Assert.That(answer.Error, Does.StartWith($"the server cannot be reached at {address}: Connection refused. ").And.Not.Contain("eng/"));
    }

    [Test]
    public async Task A_web_port_is_told_from_a_gRPC_port()
    {
        await using var web = await WebAsync("<html>");

        var answer = await RunAtAsync(AddressOf(web).Authority, input: null, isWatched: false, "cat", Absent);

        Assert.That(answer.ExitCode, Is.EqualTo(Unavailable));
        Assert.That(answer.Error, Does.Contain("may be a web port").And.Not.Contain("HTTP_1_1"));
    }

    [Test]
    public async Task A_server_without_TLS_is_told()
    {
        var answer = await RunAtAsync(Server.Address.Replace("grpc:", "grpcs:", StringComparison.Ordinal), input: null, isWatched: false, "cat", Absent);

        Assert.That(answer.ExitCode, Is.EqualTo(Unavailable));
        Assert.That(answer.Error, Does.Contain("TLS").And.Contain("grpc://HOST:PORT"));
    }

    [TestCase("http://host:1")]
    [TestCase("host")]
    [TestCase("grpc://")]
    [TestCase("grpc://host:1/instance")]
    [TestCase("grpc://user@host:1")]
    [TestCase("grpc://host:99999")]
    [TestCase("")]
    public async Task An_address_has_one_form(string address)
    {
        var answer = await RunAtAsync(address, input: null, isWatched: false, "cat", Absent);

        Assert.That(answer.ExitCode, Is.EqualTo(Usage));
        Assert.That(answer.Error, Does.Contain("write grpc://HOST:PORT"));
    }

    [Test]
    public async Task What_is_not_stored_is_not_found_and_may_be_of_another_function() =>
        Assert.That(await RunAsync("cat", Absent),
            Is.EqualTo(new CliAnswer(NotFound, "", $"{Absent} is not stored there; if a client printed it that hashes with BLAKE3, write blake3/{Absent}\n")));

    [Test]
    public async Task Status_asks_the_address_that_was_written_first()
    {
        string address = $"grpc://127.0.0.1:{FreePort.Next()}";

        Assert.That((await RunAtAsync(address, input: null, isWatched: false, "status")).Error, Does.Contain(address));
    }

    [Test]
    public async Task Status_is_told_to_people_and_to_programs()
    {
        await using var web = await WebAsync(
            """
            {"version":"9","uptimeSeconds":61.5,"ready":true,"queued":1,"running":2,"operationsCompleted":3,"storage":{"bytes":1000,"limitBytes":2000000,"blobs":4},
             "workers":[{"id":"w","pool":"p","state":"ready","slots":2,"slotsUsed":1,"walls":[{"name":"net","enforced":false,"reason":""}]}],"more":[]}
            """);
        string http = AddressOf(web).ToString();

        Assert.That((await RunAsync("status", "--http", http)).Output, Is.EqualTo(
            "version   9, up 00:01:01\nqueue     1 queued, 2 running, 3 completed\nstorage   1KB of 2MB in 4 blobs\n"
            + "worker    w  ready      1/2 slots  pool p  sandbox without net\n"));
        Assert.That((await RunAsync("status", "--http", http, "--format", "csv")).Output, Does.StartWith(
            "version,uptimeSeconds,ready,queued,running,completed,storageBytes,storageLimitBytes,storageBlobs,workers\r\n9,61.5,true,1,2,3,1000,2000000,4,"));
    }

    [TestCase("null")]
    [TestCase("[]")]
    [TestCase("{\"version\":1}")]
    [TestCase("<html>")]
    public async Task A_page_that_is_none_of_ours_is_told(string page)
    {
        await using var web = await WebAsync(page);

        var answer = await RunAsync("status", "--http", AddressOf(web).ToString());

        Assert.That(answer.ExitCode, Is.EqualTo(Unavailable));
        Assert.That(answer.Error, Does.Contain("not as this version of rexec understands it"));
    }

    [Test]
    public async Task The_first_letters_of_a_recent_actions_hash_are_enough()
    {
        Server.Executions.ThenEnd(new Build.Bazel.Remote.Execution.V2.ActionResult());
        Assert.That((await RunAsync("run", "-e", "A=b c", "echo", "a b")).ExitCode, Is.EqualTo(Done));
        var action = Server.Executions.Request!.ActionDigest;
        await using var web = await WebAsync(
            $$"""
            {"version":"9","uptimeSeconds":1,"ready":true,"queued":0,"running":0,"operationsCompleted":1,"storage":{"bytes":0,"limitBytes":0,"blobs":0},
             "workers":[],"actions":[{"actionDigest":"{{action.Hash}}/{{action.SizeBytes}}"}]}
            """);
        string http = AddressOf(web).ToString();

        var shown = await RunAsync("action", action.Hash[..8], "--http", http);

        Assert.That(shown.ExitCode, Is.EqualTo(Done), shown.Error);
        Assert.That(shown.Output, Does.Contain("command   echo 'a b'\n").And.Contain("variable  A=b c\n").And.Contain("inputs    none\n").And.Contain("result    none is cached\n"));
        Assert.That((await RunAsync("cat", "ffffffffff", "--http", http)).ExitCode, Is.EqualTo(NotFound));
    }

    [Test]
    public async Task An_action_with_its_cached_result_is_told_to_programs()
    {
        var text = await Server.PutAsync("content");
        Server.Executions.ThenEnd(new Build.Bazel.Remote.Execution.V2.ActionResult());
        await RunAsync("run", "true");
        var wire = Server.Executions.Request!.ActionDigest;
        var action = RemoteExec.Protocol.WireDigests.FromWire(wire, DigestFunction.Sha256, "action");
        await Server.Results.PutAsync(new RemoteExec.Storage.ActionCacheKey(InstanceName.Empty, action), new Build.Bazel.Remote.Execution.V2.ActionResult
        {
            ExitCode = 0,
            OutputFiles = { new Build.Bazel.Remote.Execution.V2.OutputFile { Path = "o", Digest = new WireDigest { Hash = text.Hash, SizeBytes = text.SizeBytes } } },
        }, CancellationToken.None);

        var row = System.Text.Json.Nodes.JsonNode.Parse((await RunAsync("action", action.ToString(), "--json")).Output)!;

        Assert.That(((bool?)row["isCached"], (int?)row["exitCode"], (string?)row["outputs"]![0]!["path"]), Is.EqualTo((true, 0, "o")));
        Assert.That((await RunAsync("action", action.ToString())).Output, Does.Contain($"wrote     o  {text}\n"));
    }

    [Test]
    public async Task A_terminals_codes_never_come_with_data()
    {
        var digest = await Server.PutAsync(new byte[3 << 20]);

        var fetched = await RunAtAsync(Server.Address, input: null, isWatched: true, "get", digest.ToString(), Folder.Combine("copy"));
        var quiet = await RunAtAsync(Server.Address, input: null, isWatched: false, "get", digest.ToString(), Folder.Combine("copy"));

        Assert.That((fetched.Output, fetched.Error.Contains("fetching", StringComparison.Ordinal)), Is.EqualTo(("", true)));
        Assert.That(fetched.Error, Does.Not.Contain("\e[?25l"), "a cursor that is hidden stays so after a second Ctrl-C");
        Assert.That(quiet, Is.EqualTo(new CliAnswer(Done, "", "")));
    }

    private static Uri AddressOf(WebApplication web) => new(web.Urls.Single());

    private static async Task<WebApplication> WebAsync(string page)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var web = builder.Build();
        web.Run(context => context.Response.WriteAsync(page));
        await web.StartAsync();
        return web;
    }
}
