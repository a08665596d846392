using System.Text;
using Build.Bazel.Remote.LogStream.v1;
using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;
using NUnit.Framework;

namespace RemoteExec.Services.Tests;

/// <summary>Logs that clients make, write and read (build.bazel.remote.logstream.v1).</summary>
internal sealed class WrittenLogTests : WrittenLogFixture
{
    [TestCase("")]
    [TestCase("some/where")]
    public async Task A_log_is_followed_while_it_is_written_until_it_is_final(string parent) // REAPI R24, BR7, BW11
    {
        var log = await CreateAsync(parent);
        using var read = Follow(log.Name);
        using var write = Bytes.Write(cancellationToken: Soon);

        await write.RequestStream.WriteAsync(Piece(log.WriteResourceName, "hello, "), Soon);
        Assert.That(await NextAsync(read, 7), Is.EqualTo("hello, "), "before the call is over");
        await write.RequestStream.WriteAsync(Piece("", "world", offset: 7, finish: true), Soon);
        Assert.That(await NextAsync(read, 5), Is.EqualTo("world"));
        await write.RequestStream.CompleteAsync();

        Assert.That((await write).CommittedSize, Is.EqualTo(12));
        Assert.That(await ToEndAsync(read), Is.Empty);
        Assert.That(await StatusAsync(log.WriteResourceName), Is.EqualTo((12, true)));
        Assert.That(await ReadAsync(log.Name, offset: 7, limit: 3), Is.EqualTo("wor"));
    }

    [Test] // REAPI S5
    public async Task The_name_to_read_is_shown_and_the_name_to_write_is_a_secret_that_no_failure_repeats()
    {
        var log = await CreateAsync("some/where");
        Assert.That(log.Name, Does.Match("^some/where/logstreams/[0-9a-f]{32}$"));
        Assert.That(log.WriteResourceName, Does.Match($"^{log.Name}/[0-9a-f]{{32}}$"));
        string token = log.WriteResourceName[(log.Name.Length + 1)..];

        RpcException[] failures =
        [
            await FailureOf(() => ReadAsync(log.WriteResourceName)),
            await FailureOf(() => WriteAsync(Piece(log.WriteResourceName, "x", offset: 1))),
            await FailureOf(() => WriteAsync(Piece(log.WriteResourceName[..^1], "x"))),
            await FailureOf(() => StatusAsync($"else/{log.WriteResourceName}")),
        ];

        Assert.That(failures.Select(failure => failure.StatusCode), Is.EqualTo(new[] { StatusCode.InvalidArgument, StatusCode.InvalidArgument, StatusCode.NotFound, StatusCode.NotFound }));
        Assert.That(failures.Select(failure => $"{failure} {failure.Trailers.GetValueBytes(RemoteExec.Protocol.RpcErrors.DetailsTrailer) is { } details && Encoding.Latin1.GetString(details).Contains(token[..^1], StringComparison.Ordinal)}"),
            Has.All.Not.Contains(token[..^1]).And.All.EndsWith("False"));
    }

    [Test] // REAPI BW11
    public async Task The_name_to_read_writes_nothing()
    {
        var log = await CreateAsync();

        Assert.That(await CodeOf(() => WriteAsync(Piece(log.Name, "x"))), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await CodeOf(() => StatusAsync(log.Name)), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await StatusAsync(log.WriteResourceName), Is.EqualTo((0, false)));
    }

    [Test] // REAPI BW9, BW11
    public async Task A_writer_goes_on_where_it_is_told_that_it_stands()
    {
        var log = await CreateAsync();

        Assert.That(await WriteAsync(Piece(log.WriteResourceName, "hel"), Piece(log.WriteResourceName, "lo", offset: 3)), Is.EqualTo(5));
        Assert.That(await StatusAsync(log.WriteResourceName), Is.EqualTo((5, false)));
        Assert.That(await WriteAsync(Piece(log.WriteResourceName, " world", offset: 5)), Is.EqualTo(11));
        Assert.That(await WriteAsync(Piece(log.WriteResourceName, "", offset: 11, finish: true)), Is.EqualTo(11));

        Assert.That(await ReadAsync(log.Name), Is.EqualTo("hello world"));
    }

    [TestCase(2)] // REAPI BW11
    [TestCase(0)]
    [TestCase(6)]
    [TestCase(-1)]
    [TestCase(long.MaxValue)]
    public async Task What_does_not_follow_the_committed_bytes_is_refused_and_they_stay(long offset)
    {
        var log = await CreateAsync();
        await WriteAsync(Piece(log.WriteResourceName, "first"));

        Assert.That(await CodeOf(() => WriteAsync(Piece(log.WriteResourceName, "other", offset))), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await CodeOf(() => WriteAsync(Piece(log.WriteResourceName, "", offset, finish: true))), Is.EqualTo(StatusCode.InvalidArgument));

        Assert.That(await StatusAsync(log.WriteResourceName), Is.EqualTo((5, false)));
        await WriteAsync(Piece(log.WriteResourceName, "", offset: 5, finish: true));
        Assert.That(await ReadAsync(log.Name), Is.EqualTo("first"));
    }

    [Test] // REAPI BW4, BW11
    public async Task Nothing_is_written_behind_the_end_and_who_says_the_end_again_is_believed()
    {
        var log = await CreateAsync();
        await WriteAsync(Piece(log.WriteResourceName, "all", finish: true));

        Assert.That(await CodeOf(() => WriteAsync(Piece(log.WriteResourceName, "more", offset: 3))), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await WriteAsync(Piece(log.WriteResourceName, "", offset: 3, finish: true)), Is.EqualTo(3), "its answer may have been lost");
        Assert.That(await ReadAsync(log.Name), Is.EqualTo("all"));
    }

    [Test] // REAPI BW1, BW4
    public async Task A_message_behind_finish_write_or_of_another_name_is_refused_and_the_log_goes_on()
    {
        var log = await CreateAsync();
        var other = await CreateAsync();

        Assert.That(await CodeOf(() => WriteAsync(Piece(log.WriteResourceName, "a", finish: true), Piece("", "b", offset: 1))), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await CodeOf(() => WriteAsync(Piece(log.WriteResourceName, "b", offset: 1), Piece(other.WriteResourceName, "c", offset: 2))), Is.EqualTo(StatusCode.InvalidArgument));

        Assert.That(await StatusAsync(log.WriteResourceName), Is.EqualTo((2, false)));
        Assert.That(await StatusAsync(other.WriteResourceName), Is.EqualTo((0, false)));
    }

    [Test] // REAPI BW11
    public async Task Of_two_writers_the_one_goes_on_that_writes_at_the_committed_end()
    {
        var log = await CreateAsync();
        using var read = Follow(log.Name);
        using var first = Bytes.Write(cancellationToken: Soon);
        await first.RequestStream.WriteAsync(Piece(log.WriteResourceName, "first"), Soon);
        await NextAsync(read, 5);

        Assert.That(await CodeOf(() => WriteAsync(Piece(log.WriteResourceName, "second"))), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await WriteAsync(Piece(log.WriteResourceName, " second", offset: 5)), Is.EqualTo(12));
        await first.RequestStream.WriteAsync(Piece("", " again", offset: 5, finish: true), Soon);

        Assert.That(await CodeOf(async () => await first), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await NextAsync(read, 7), Is.EqualTo(" second"));
        Assert.That(await StatusAsync(log.WriteResourceName), Is.EqualTo((12, false)));
    }

    [TestCase("")]
    [TestCase("some/where")] // the Go SDK puts it before whatever name it was given
    public async Task A_name_that_a_client_has_put_behind_instance_and_keyword_once_more_is_understood(string parent)
    {
        var log = await CreateAsync(parent);
        string prefix = parent.Length == 0 ? "" : parent + "/";

        Assert.That(await WriteAsync(Piece($"{prefix}logstreams/{log.WriteResourceName}", "hello", finish: true)), Is.EqualTo(5));
        Assert.That(await ReadAsync($"{prefix}logstreams/{log.Name}"), Is.EqualTo("hello"));
        Assert.That(await CodeOf(() => ReadAsync($"else{prefix}/logstreams/{log.Name}")), Is.EqualTo(StatusCode.NotFound));
    }

    [Test]
    public async Task A_log_that_is_not_here_is_NOT_FOUND_to_readers_and_writers()
    {
        var log = await CreateAsync("mine");
        string unknown = $"logstreams/{new string('1', 32)}";
        string ofAnother = log.Name.Replace("mine/", "yours/", StringComparison.Ordinal);

        foreach (string name in (string[])[unknown, ofAnother, log.Name.ToUpperInvariant(), "logstreams/x"])
        {
            if (!name.Contains("LOGSTREAMS", StringComparison.Ordinal)) Assert.That(await CodeOf(() => ReadAsync(name)), Is.EqualTo(StatusCode.NotFound), name);
            Assert.That(await CodeOf(() => WriteAsync(Piece($"{name}/{new string('2', 32)}", "x"))), Is.EqualTo(StatusCode.NotFound).Or.EqualTo(StatusCode.InvalidArgument), name);
        }
    }

    [TestCase("a/blobs/b")] // REAPI G2
    [TestCase("a\nb")]
    [TestCase("logstreams")]
    [TestCase("a/logstreams/a")]
    public async Task A_parent_that_is_no_instance_name_is_refused(string parent) =>
        Assert.That(await CodeOf(() => CreateAsync(parent)), Is.EqualTo(StatusCode.InvalidArgument));

    [Test]
    public async Task A_log_that_would_outgrow_its_bound_keeps_what_it_has()
    {
        await RestartAsync(Options with { LogStreamBytesMax = 8 });
        var log = await CreateAsync();

        Assert.That(await CodeOf(() => WriteAsync(Piece(log.WriteResourceName, "12345678"), Piece("", "9", offset: 8))), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await WriteAsync(Piece(log.WriteResourceName, "", offset: 8, finish: true)), Is.EqualTo(8));
        Assert.That(await ReadAsync(log.Name), Is.EqualTo("12345678"));
    }

    [Test]
    public async Task A_log_whose_writer_is_silent_for_too_long_is_final_and_a_final_one_is_forgotten_like_that_of_an_action()
    {
        var log = await CreateAsync();
        await WriteAsync(Piece(log.WriteResourceName, "so far"));
        using var read = Follow(log.Name);
        await NextAsync(read, 6);

        Time.Advance(Options.LogStreamSilenceMax);
        Assert.That(await ToEndAsync(read), Is.Empty);
        Assert.That(await StatusAsync(log.WriteResourceName), Is.EqualTo((6, true)));

        Time.Advance(Options.LiveLogKeep);
        Assert.That(await CodeOf(() => ReadAsync(log.Name)), Is.EqualTo(StatusCode.NotFound));
        Assert.That(Services.WrittenLogs.Bytes, Is.Zero);
    }

    [Test]
    public async Task Readers_and_writers_are_told_that_the_server_leaves()
    {
        var log = await CreateAsync();
        using var read = Follow(log.Name);
        using var write = Bytes.Write(cancellationToken: Soon);
        await write.RequestStream.WriteAsync(Piece(log.WriteResourceName, "so far"), Soon);
        await NextAsync(read, 6);

        Services.CloseLogs();

        Assert.That(await CodeOf(() => ToEndAsync(read)), Is.EqualTo(StatusCode.Unavailable));
        Assert.That(await CodeOf(async () => await write), Is.EqualTo(StatusCode.Unavailable));
        Assert.That(await CodeOf(() => CreateAsync()), Is.EqualTo(StatusCode.Unavailable));
    }

    [Test]
    public async Task A_server_that_starts_again_knows_no_log_of_before()
    {
        var log = await CreateAsync();
        await WriteAsync(Piece(log.WriteResourceName, "all", finish: true));

        await RestartAsync(Options);

        Assert.That(await CodeOf(() => ReadAsync(log.Name)), Is.EqualTo(StatusCode.NotFound));
        Assert.That(await CodeOf(() => WriteAsync(Piece(log.WriteResourceName, "x"))), Is.EqualTo(StatusCode.NotFound));
    }
}
