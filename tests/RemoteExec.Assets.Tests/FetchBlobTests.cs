using System.Text;
using Grpc.Core;
using RemoteExec.Core;

namespace RemoteExec.Assets.Tests;

/// <summary>REAPI S1: what is fetched, how often, and how a failure is told.</summary>
public sealed class FetchBlobTests : AssetFixture
{
    private static readonly byte[] Content = Encoding.UTF8.GetBytes("what was asked for");

    [Test]
    public async Task A_file_of_a_web_server_is_stored_under_its_digest()
    {
        Origin.Serve("/a", Content);

        var answer = await FetchBlobAsync(Origin.UriOf("/a"));

        Assert.That(answer.Failure, Is.Null);
        Assert.That((answer.Digest, answer.Uri), Is.EqualTo((Digest.Of(DigestFunction.Sha256, Content), Origin.UriOf("/a"))));
        Assert.That(answer.ExpiresAt, Is.EqualTo(Time.GetUtcNow() + Retention));
        Assert.That(await ReadAsync(answer.Digest), Is.EqualTo("what was asked for"));
        AssertNothingSpooled();
    }

    [Test]
    public async Task A_digest_is_of_the_function_that_was_asked_for()
    {
        Origin.Serve("/a", Content);

        var answer = await FetchAsync(Request(AssetKind.Blob, [Origin.UriOf("/a")]) with { Function = DigestFunction.Blake3 });

        Assert.That(answer.Digest, Is.EqualTo(Digest.Of(DigestFunction.Blake3, Content)));
    }

    [Test]
    public async Task An_empty_file_is_the_empty_blob()
    {
        Origin.Serve("/a", []);

        Assert.That((await FetchBlobAsync(Origin.UriOf("/a"))).Digest, Is.EqualTo(Digest.Empty(DigestFunction.Sha256)));
    }

    [Test]
    public async Task What_was_fetched_once_is_answered_while_its_mirror_is_out()
    {
        Origin.Serve("/a", Content);
        await FetchBlobAsync(Origin.UriOf("/a"));
        Origin.Refuse("/a", 503);
        await ReopenAsync();

        var answer = await FetchBlobAsync(Origin.UriOf("/a"));

        Assert.That(answer.Failure, Is.Null);
        Assert.That(Origin.Requests, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task What_is_older_than_who_asks_accepts_is_fetched_again()
    {
        Origin.Serve("/a", Content);
        await FetchBlobAsync(Origin.UriOf("/a"));
        Origin.Serve("/a", Encoding.UTF8.GetBytes("newer"));
        Time.Advance(TimeSpan.FromMinutes(1));
        var request = Request(AssetKind.Blob, [Origin.UriOf("/a")]);

        var old = await FetchAsync(request with { OldestAccepted = Time.GetUtcNow() - TimeSpan.FromMinutes(1) });
        var fresh = await FetchAsync(request with { OldestAccepted = Time.GetUtcNow() });

        Assert.That((await ReadAsync(old.Digest), await ReadAsync(fresh.Digest)), Is.EqualTo(("what was asked for", "newer")));
    }

    [Test]
    public async Task The_first_source_that_has_it_is_used_and_named()
    {
        Origin.Refuse("/gone", 404);
        Origin.Serve("/b", Content);

        var answer = await FetchAsync(Request(AssetKind.Blob, [Origin.UriOf("/gone"), Origin.UriOf("/b"), Origin.UriOf("/c")]));

        Assert.That((answer.Failure, answer.Uri), Is.EqualTo(((RpcException?)null, Origin.UriOf("/b"))));
    }

    [TestCase(404, StatusCode.NotFound)]
    [TestCase(410, StatusCode.NotFound)]
    [TestCase(401, StatusCode.PermissionDenied)]
    [TestCase(403, StatusCode.PermissionDenied)]
    [TestCase(429, StatusCode.ResourceExhausted)]
    [TestCase(500, StatusCode.Unavailable)]
    [TestCase(503, StatusCode.Unavailable)]
    [TestCase(504, StatusCode.DeadlineExceeded)]
    [TestCase(204, StatusCode.NotFound)]
    public async Task A_refusal_of_the_origin_is_a_status_of_the_answer(int http, StatusCode code)
    {
        Origin.Refuse("/a", http);

        AssertFailed(await FetchBlobAsync(Origin.UriOf("/a?token=secret")), StatusCode.NotFound);
        var answer = await FetchBlobAsync(Origin.UriOf("/a"));

        AssertFailed(answer, code, $"{http}");
    }

    [Test]
    public async Task The_failure_that_may_pass_is_told_before_the_one_that_stays()
    {
        Origin.Refuse("/a", 503);
        Origin.Refuse("/b", 404);

        AssertFailed(await FetchAsync(Request(AssetKind.Blob, [Origin.UriOf("/a"), Origin.UriOf("/b")])), StatusCode.Unavailable, "answers 404");
    }

    [Test]
    public async Task A_query_is_never_in_a_message()
    {
        var answer = await FetchBlobAsync(Origin.UriOf("/a?token=secret"));

        Assert.That(answer.Failure!.Status.Detail, Does.Contain("/a").And.Not.Contain("secret"));
    }

    [Test]
    public async Task A_body_that_ends_early_is_stored_nowhere()
    {
        Origin.Answer("/a", Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nonly this"));

        AssertFailed(await FetchBlobAsync(Origin.UriOf("/a")), StatusCode.Unavailable);
    }

    [Test]
    public async Task What_is_no_HTTP_is_unavailable()
    {
        Origin.Answer("/a", Encoding.ASCII.GetBytes("SSH-2.0-OpenSSH\r\n\r\n"));

        AssertFailed(await FetchBlobAsync(Origin.UriOf("/a")), StatusCode.Unavailable);
    }

    [TestCase("Content-Length: 2000\r\n")] // told, and not sent
    [TestCase("")] // sent, and not told
    public async Task A_download_beyond_the_limit_is_refused(string length)
    {
        await ReopenAsync(Options with { DownloadBytesMax = 1000 });
        Origin.Answer("/a", Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\n{length}Connection: close\r\n\r\n{new string('x', 1500)}"));

        AssertFailed(await FetchBlobAsync(Origin.UriOf("/a")), StatusCode.ResourceExhausted, "1000 bytes");
    }

    [Test]
    public void Downloads_that_together_take_too_much_are_refused_until_others_give_back_their_room()
    {
        var spool = new Spool(Options.Directory + "-spool", bytesMax: 1000, totalBytesMax: 1200);
        using var first = spool.Create();
        using var second = spool.Create();
        first.Expect(800);

        var refused = Assert.Throws<RpcException>(() => second.Expect(900));
        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.ResourceExhausted));
        first.Dispose();
        second.Expect(900);

        Assert.That(spool.Bytes, Is.EqualTo(900));
    }

    [Test]
    public async Task A_fetch_goes_on_when_who_asked_has_gone_and_is_shared_by_all_who_ask()
    {
        var response = new TaskCompletionSource<byte[]>();
        Origin.AnswerWhen("/a", response.Task);
        using var leaving = new CancellationTokenSource();
        var request = Request(AssetKind.Blob, [Origin.UriOf("/a")]);
        var first = Fetcher.FetchAsync(request, leaving.Token).AsTask();
        await leaving.CancelAsync();
        Assert.That(async () => await first, Throws.InstanceOf<OperationCanceledException>());

        var second = FetchAsync(request);
        var third = FetchAsync(request);
        response.SetResult(HttpOriginServer.Ok(Content));

        Assert.That(((await second).Failure, (await third).Failure), Is.EqualTo(((RpcException?)null, (RpcException?)null)));
        Assert.That(Origin.Requests, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task Who_names_a_timeout_is_answered_by_then_and_who_waits_longer_gets_the_content()
    {
        var response = new TaskCompletionSource<byte[]>();
        Origin.AnswerWhen("/a", response.Task);
        var request = Request(AssetKind.Blob, [Origin.UriOf("/a")]);
        var patient = FetchAsync(request with { Timeout = TimeSpan.FromMinutes(20) });
        var hurried = FetchAsync(request with { Timeout = TimeSpan.FromSeconds(5) });

        Time.Advance(TimeSpan.FromSeconds(5));
        Assert.That((await hurried).Failure?.StatusCode, Is.EqualTo(StatusCode.DeadlineExceeded));
        response.SetResult(HttpOriginServer.Ok(Content));

        Assert.That((await patient).Failure, Is.Null);
    }

    [Test]
    public async Task A_fetch_ends_with_the_longest_of_its_timeouts()
    {
        Origin.AnswerWhen("/a", new TaskCompletionSource<byte[]>().Task);
        var fetch = FetchAsync(Request(AssetKind.Blob, [Origin.UriOf("/a")]) with { Timeout = TimeSpan.FromSeconds(5) });

        Time.Advance(TimeSpan.FromSeconds(6));

        AssertFailed(await fetch, StatusCode.DeadlineExceeded);
    }

    [Test]
    public async Task More_fetches_than_there_is_room_for_are_refused_with_a_time_to_wait()
    {
        await ReopenAsync(Options with { FetchesWaitingMax = 1 });
        Origin.AnswerWhen("/a", new TaskCompletionSource<byte[]>().Task);
        var running = FetchBlobAsync(Origin.UriOf("/a"));

        var refused = Assert.ThrowsAsync<RpcException>(() => FetchBlobAsync(Origin.UriOf("/b")));

        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.ResourceExhausted));
        await Fetcher.DisposeAsync();
        Assert.That((await running).Failure?.StatusCode, Is.EqualTo(StatusCode.DeadlineExceeded), "and what runs ends with the server");
        Fetcher = new AssetFetcher(Options, Store, Time);
    }
}
