using Grpc.Core;
using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

/// <summary>Large inputs whose fetching breaks off, and goes on where it broke.</summary>
public sealed class ResumedFetchTests : ChunkFetchFixture
{
    private const int DataBytes = 24 * MebiByte;

    // More than are under way at a time, so that the first of them have arrived for certain.
    private const int ChunksUntilAway = 100;

    private readonly byte[] _data = Blobs.Of(1, DataBytes);

    // Small enough that all of them travel in batches, where the peer counts them.
    private protected override ChunkingOptions Chunking => new() { FastCdcAverageBytes = 64 << 10 };

    [Test]
    public async Task What_arrived_before_a_fetch_broke_off_does_not_travel_again([Values] bool restarts)
    {
        await BreakAsync(_data);
        var digest = Blobs.DigestOf(_data);
        long kept = Unfinished.KeptBytes;
        Assert.That(kept, Is.InRange(1, DataBytes - 1));
        Assert.That(await Here.HasAsync(digest), Is.False, "no half file is a blob");
        if (restarts) await RestartAsync();
        Assert.That(Unfinished.KeptBytes, Is.GreaterThanOrEqualTo(kept), "holes count after a restart");
        long before = Store.FetchedBytes;
        Peer.Asked.Clear();

        await FetchAsync(_data);

        Assert.That(Store.FetchedBytes - before, Is.EqualTo(DataBytes - kept));
        Assert.That(AskedBytes(), Is.EqualTo(DataBytes - kept), "exactly the rest");
    }

    [Test]
    public async Task What_a_finished_fetch_kept_is_gone_with_it()
    {
        await BreakAsync(_data);
        await FetchAsync(_data);

        Assert.That(Unfinished.KeptBytes, Is.Zero);
        Assert.That(Directory.EnumerateFileSystemEntries(UnfinishedDirectory), Is.Empty);
        await RestartAsync();
        Assert.That(Unfinished.KeptBytes, Is.Zero);
    }

    [Test]
    public async Task A_kept_chunk_that_is_not_what_its_name_says_is_fetched_again([Values] bool restarts)
    {
        await BreakAsync(_data);
        long kept = Unfinished.KeptBytes;
        await using (var file = new FileStream(Directory.EnumerateFiles(UnfinishedDirectory).Single(), FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            file.WriteByte((byte)~_data[0]);
        if (restarts) await RestartAsync();
        Peer.Asked.Clear();

        await FetchAsync(_data);

        long again = AskedBytes() - (DataBytes - kept);
        Assert.That(again, Is.InRange(1, 256 << 10), "one chunk");
        Assert.That(Unfinished.KeptBytes, Is.Zero, "and what it took was counted once");
    }

    [Test]
    public async Task One_that_was_damaged_and_fetched_again_serves_when_that_breaks_off_too()
    {
        await BreakAsync(_data);
        await using (var file = new FileStream(Directory.EnumerateFiles(UnfinishedDirectory).Single(), FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            file.WriteByte((byte)~_data[0]);
        await BreakAsync(_data);
        long kept = Unfinished.KeptBytes;
        Peer.Asked.Clear();

        await FetchAsync(_data);

        Assert.That(AskedBytes(), Is.EqualTo(DataBytes - kept));
    }

    [Test]
    public async Task No_more_is_kept_than_is_allowed_and_it_is_the_beginning()
    {
        const long Limit = 2 * MebiByte;
        await RestartAsync(Limit);
        await BreakAsync(_data);
        Assert.That(Unfinished.KeptBytes, Is.InRange(Limit / 2, Limit));
        long kept = Unfinished.KeptBytes;
        Peer.Asked.Clear();

        await FetchAsync(_data);

        Assert.That(AskedBytes(), Is.EqualTo(DataBytes - kept));
    }

    [Test]
    public async Task What_was_left_the_longest_ago_gives_way_first()
    {
        byte[][] blobs = [Blobs.Of(1, DataBytes), Blobs.Of(2, DataBytes), Blobs.Of(3, DataBytes)];
        await BreakAsync(blobs[0]);
        await BreakAsync(blobs[1]);
        long two = Unfinished.KeptBytes;
        await RestartAsync(two + (MebiByte / 2));

        await BreakAsync(blobs[2]);

        Assert.That(Unfinished.KeptBytes, Is.LessThanOrEqualTo(two + (MebiByte / 2)));
        var names = Directory.EnumerateFiles(UnfinishedDirectory).Select(Path.GetFileName).ToList();
        Assert.That(names, Has.None.Contains(Blobs.DigestOf(blobs[0]).Hash).And.Some.Contains(Blobs.DigestOf(blobs[2]).Hash));
    }

    [Test]
    public async Task Less_room_than_before_takes_the_oldest_away_at_the_start()
    {
        await BreakAsync(_data);
        await RestartAsync(keptBytesMax: 0);

        Assert.That(Unfinished.KeptBytes, Is.Zero);
        Assert.That(Directory.EnumerateFileSystemEntries(UnfinishedDirectory), Is.Empty);
        await FetchAsync(_data);
    }

    [Test]
    public async Task Two_who_want_the_same_blob_at_once_fetch_each_chunk_once()
    {
        var digest = await Far.PutAsync(_data);
        IBlobStore[] ends = [NewStore(), NewStore()];

        await Task.WhenAll(ends.Select(end => Store.CopyAsync(digest, end, default).AsTask()));

        Assert.That(Store.FetchedBytes, Is.EqualTo(DataBytes));
        Assert.That(Peer.Asked, Is.Unique);
        foreach (var end in ends) Assert.That((await end.GetAsync(digest)).AsSpan().SequenceEqual(_data), Is.True);
    }

    [Test]
    public async Task Who_leaves_takes_nobody_along()
    {
        var digest = await Far.PutAsync(_data);
        var held = new TaskCompletionSource();
        var began = new TaskCompletionSource();
        Peer.BeforeBatchAsync = () =>
        {
            began.TrySetResult();
            return held.Task;
        };
        using var leaving = new CancellationTokenSource();
        var first = Store.CopyAsync(digest, NewStore(), leaving.Token).AsTask();
        await began.Task.WaitAsync(TimeSpan.FromMinutes(2));
        var end = NewStore();
        var second = Store.CopyAsync(digest, end, default).AsTask();

        await leaving.CancelAsync();
        held.SetResult();

        Assert.That(async () => await first, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(await second, Is.EqualTo(DataBytes));
        Assert.That((await end.GetAsync(digest)).AsSpan().SequenceEqual(_data), Is.True);
    }

    [Test]
    public async Task Bytes_that_a_blob_has_many_times_are_kept_in_each_of_their_places()
    {
        byte[] repeated = [.. Blobs.Of(2, 4 * MebiByte), .. new byte[4 * MebiByte], .. Blobs.Of(3, 8 * MebiByte)];
        await BreakAsync(repeated);
        await RestartAsync();

        await FetchAsync(repeated);
    }

    [Test]
    public async Task A_directory_that_cannot_be_written_fails_no_fetch()
    {
        File.WriteAllText(UnfinishedDirectory, "in the way");

        await FetchAsync(_data);

        Assert.That((Store.FetchedBytes, Unfinished.KeptBytes), Is.EqualTo((DataBytes, 0)));
    }

    [Test]
    public async Task Files_of_somebody_else_are_left_alone()
    {
        Directory.CreateDirectory(UnfinishedDirectory);
        string letter = Path.Combine(UnfinishedDirectory, "letter.txt");
        File.WriteAllText(letter, "precious");
        await RestartAsync(keptBytesMax: 0);

        Assert.That(File.ReadAllText(letter), Is.EqualTo("precious"));
    }

    private static MemoryBlobStore NewStore() => new(2 * DataBytes, TimeSpan.FromHours(4), TimeProvider.System);

    // Once each: a question of the attempt that broke off may reach the server late.
    private long AskedBytes() => Peer.Asked.Distinct().Sum(chunk => chunk.SizeBytes);

    /// <summary>The server goes away in the middle of a blob, and comes back.</summary>
    private async Task BreakAsync(byte[] data)
    {
        var digest = await Far.PutAsync(data);
        Peer.ChunksUntilAway = ChunksUntilAway;
        Assert.That(async () => await Store.CopyAsync(digest, Here, default), Throws.TypeOf<RpcException>().With.Property("StatusCode").EqualTo(StatusCode.Unavailable));
        Peer.ChunksUntilAway = null;
    }
}
