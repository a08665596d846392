using Google.Bytestream;
using Grpc.Core;
using NUnit.Framework;

namespace RemoteExec.Services.Tests;

/// <summary>What logs of clients take, who has to go when that is too much, and what who reads one of these hears.</summary>
internal sealed class WrittenLogRoomTests : WrittenLogFixture
{
    // Two of these find room beside each other, a third does not.
    private static readonly string Large = new('x', 150_000);

    private static ServicesOptions Small(ServicesOptions options) => options with { LogStreamsBytesMax = 400_000, LogStreamBytesMax = 150_001 };

    /// <summary>A call that has written so much and is still there.</summary>
    private async Task<AsyncClientStreamingCall<WriteRequest, WriteResponse>> AttachAsync(string name, string text)
    {
        var write = Bytes.Write(cancellationToken: Soon);
        await write.RequestStream.WriteAsync(Piece(name, text), Soon);
        using var read = Follow(name[..name.LastIndexOf('/')]);
        await NextAsync(read, text.Length);
        return write;
    }

    [Test] // REAPI G1
    public async Task When_memory_is_full_final_logs_go_first_then_silent_ones_and_others_are_RESOURCE_EXHAUSTED()
    {
        await RestartAsync(Options with { LogStreamsBytesMax = 400_000, LogStreamBytesMax = 150_001 });
        string text = new('x', 150_000);
        var final = await CreateElsewhereAsync();
        var open = await CreateElsewhereAsync();
        await WriteAsync(Piece(final.WriteResourceName, text, finish: true));
        await WriteAsync(Piece(open.WriteResourceName, text));
        var third = await CreateElsewhereAsync();

        Assert.That(await WriteAsync(Piece(third.WriteResourceName, text)), Is.EqualTo(text.Length));
        Assert.That(await CodeOf(() => ReadAsync(final.Name)), Is.EqualTo(StatusCode.NotFound));
        var fourth = await CreateElsewhereAsync();
        var refused = await FailureOf(() => WriteAsync(Piece(fourth.WriteResourceName, text)));
        Assert.That((refused.StatusCode, Services.WrittenLogs.Bytes <= 400_000), Is.EqualTo((StatusCode.ResourceExhausted, true)));
        Assert.That(RemoteExec.Protocol.RpcErrors.ToStatus(refused).Details.Any(detail => detail.Is(Google.Rpc.RetryInfo.Descriptor)));

        Time.Advance(Options.LiveLogKeep);
        await WriteAsync(Piece(third.WriteResourceName, "y", offset: text.Length)); // this one is not silent
        Assert.That(await WriteAsync(Piece(fourth.WriteResourceName, text)), Is.EqualTo(text.Length));
        Assert.That(await CodeOf(() => StatusAsync(open.WriteResourceName)), Is.EqualTo(StatusCode.NotFound));
    }

    [Test] // REAPI G1
    public async Task There_are_so_many_logs_and_no_more()
    {
        await RestartAsync(Options with { LogStreamsMax = 2 });
        var first = await CreateElsewhereAsync();
        await CreateElsewhereAsync();

        Assert.That(await CodeOf(CreateElsewhereAsync), Is.EqualTo(StatusCode.ResourceExhausted));
        await WriteAsync(Piece(first.WriteResourceName, "", finish: true));
        await CreateElsewhereAsync();
        Assert.That(await CodeOf(() => StatusAsync(first.WriteResourceName)), Is.EqualTo(StatusCode.NotFound));
    }

    [Test] // REAPI BW11
    public async Task A_log_whose_writer_is_there_stays_however_long_it_says_nothing()
    {
        await RestartAsync(Small(Options));
        var log = await CreateElsewhereAsync();
        using var write = await AttachAsync(log.WriteResourceName, Large);
        var other = await CreateElsewhereAsync();
        await WriteAsync(Piece(other.WriteResourceName, Large));
        Time.Advance(Options.LiveLogKeep);

        var third = await CreateElsewhereAsync();
        Assert.That(await WriteAsync(Piece(third.WriteResourceName, Large)), Is.EqualTo(Large.Length));
        Assert.That(await CodeOf(() => StatusAsync(other.WriteResourceName)), Is.EqualTo(StatusCode.NotFound), "it heard its writer later, but nobody is there");

        await write.RequestStream.WriteAsync(Piece("", "y", offset: Large.Length, finish: true), Soon);
        await write.RequestStream.CompleteAsync();
        Assert.That((await write).CommittedSize, Is.EqualTo(Large.Length + 1));
    }

    [Test] // REAPI BR7
    public async Task Who_reads_a_log_that_is_forgotten_unfinished_is_told_and_does_not_take_it_for_whole()
    {
        await RestartAsync(Small(Options));
        var log = await CreateElsewhereAsync();
        await WriteAsync(Piece(log.WriteResourceName, Large));
        using var read = Follow(log.Name);
        await NextAsync(read, Large.Length);
        Time.Advance(Options.LiveLogKeep);

        foreach (int _ in Enumerable.Range(0, 2)) await WriteAsync(Piece((await CreateElsewhereAsync()).WriteResourceName, Large));

        var told = await FailureOf(() => ToEndAsync(read));
        Assert.That(told.StatusCode, Is.EqualTo(StatusCode.NotFound));
        Assert.That(told.Status.Detail, Does.Contain("forgotten while it was read"));
    }

    [Test] // REAPI BR7
    public async Task A_reader_that_takes_nothing_keeps_no_log_that_is_forgotten()
    {
        const int pieceBytes = 1 << 20, pieces = 8;
        await RestartAsync(Options with { LogStreamsBytesMax = pieces * pieceBytes, LogStreamBytesMax = pieces * pieceBytes });
        string piece = new('x', pieceBytes);
        WriteRequest[] whole(string name) => [.. Enumerable.Range(0, pieces).Select(i => Piece(i == 0 ? name : "", piece, (long)i * pieceBytes, finish: i == pieces - 1))];
        var log = await CreateElsewhereAsync();
        await WriteAsync(whole(log.WriteResourceName));
        using var read = Follow(log.Name);
        Assert.That(await read.ResponseStream.MoveNext(Soon)); // what is behind that fills the window of the stream, and waits
        Assert.That(read.ResponseStream.Current.Data, Has.Length.AtMost(LogHead.BlockBytes), "so much a stalled reader has at most");

        await WriteAsync(whole((await CreateElsewhereAsync()).WriteResourceName)); // takes all the memory that there is

        Assert.That(Services.WrittenLogs.Bytes, Is.EqualTo(pieces * pieceBytes));
        Assert.That(await CodeOf(() => ToEndAsync(read)), Is.EqualTo(StatusCode.NotFound));
    }

    [Test] // REAPI BR7
    public async Task A_final_log_stays_for_as_long_as_somebody_reads_it_where_nobody_wants_its_room()
    {
        var log = await CreateAsync();
        string text = new('x', 4 << 20);
        await WriteAsync([.. Enumerable.Range(0, 4).Select(i => Piece(i == 0 ? log.WriteResourceName : "", text[..(1 << 20)], (long)i << 20, finish: i == 3))]);
        using var read = Follow(log.Name);
        Assert.That(await read.ResponseStream.MoveNext(Soon));
        int begun = read.ResponseStream.Current.Data.Length;

        Time.Advance(Options.LiveLogKeep * 2);

        Assert.That(await ToEndAsync(read), Has.Length.EqualTo(text.Length - begun));
        Time.Advance(Options.LiveLogKeep);
        Assert.That(await CodeOf(() => ReadAsync(log.Name)), Is.EqualTo(StatusCode.NotFound));
    }

    [Test] // REAPI G1
    public async Task One_connection_has_a_quarter_of_the_logs_and_makes_more_at_the_cost_of_its_own()
    {
        await RestartAsync(Options with { LogStreamsMax = 8 });
        var other = await CreateElsewhereAsync();
        await WriteAsync(Piece(other.WriteResourceName, "", finish: true));
        var first = await CreateAsync();
        await CreateAsync();

        var refused = await FailureOf(() => CreateAsync());
        Assert.That((refused.StatusCode, refused.Status.Detail), Is.EqualTo((StatusCode.ResourceExhausted, "2 log streams of this connection are written already, of 8 in all")));
        await CreateElsewhereAsync();

        await WriteAsync(Piece(first.WriteResourceName, "", finish: true));
        await CreateAsync();
        Assert.That(await CodeOf(() => StatusAsync(first.WriteResourceName)), Is.EqualTo(StatusCode.NotFound));
        Assert.That(await StatusAsync(other.WriteResourceName), Is.EqualTo((0, true)));
    }

    [Test] // REAPI G1
    public async Task One_connection_has_half_of_the_memory()
    {
        await RestartAsync(Small(Options));
        await WriteAsync(Piece((await CreateAsync()).WriteResourceName, Large));

        var refused = await FailureOf(async () => await WriteAsync(Piece((await CreateAsync()).WriteResourceName, Large)));
        Assert.That((refused.StatusCode, refused.Status.Detail), Is.EqualTo((StatusCode.ResourceExhausted, "log streams of this connection take 200000 bytes, of 400000 for all (--log-streams-size-max)")));
        Assert.That(await WriteAsync(Piece((await CreateElsewhereAsync()).WriteResourceName, Large)), Is.EqualTo(Large.Length));
    }

    [TestCase(1_000)]
    [TestCase(LogHead.BlockBytes)]
    [TestCase(LogHead.BlockBytes + 1)]
    [TestCase(300_000)]
    public async Task Where_one_log_may_take_all_of_the_memory_one_that_does_fits_however_it_grows(int bytesMax)
    {
        await RestartAsync(Options with { LogStreamsBytesMax = bytesMax, LogStreamBytesMax = bytesMax });
        var log = await CreateAsync();
        string text = string.Concat(Enumerable.Range(0, bytesMax / 5 + 1).Select(i => $"{i:d4},"))[..bytesMax];
        int[] ends = [1, 100, bytesMax * 2 / 3, bytesMax - 1, bytesMax];
        for (int i = 0; i < ends.Length; i++)
        {
            int from = i == 0 ? 0 : ends[i - 1];
            await WriteAsync(Piece(log.WriteResourceName, text[from..ends[i]], from, finish: i == ends.Length - 1));
        }

        Assert.That(await ReadAsync(log.Name), Is.EqualTo(text));
        Assert.That(Services.WrittenLogs.Bytes, Is.EqualTo(bytesMax));
    }
}
