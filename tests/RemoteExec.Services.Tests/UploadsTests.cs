using System.Collections.Concurrent;
using System.Diagnostics;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services.Tests;

/// <summary>Uploads between and beside their calls, where a wire would only guess what has arrived.</summary>
internal sealed class UploadsTests
{
    private readonly ServicesOptions _options = new() { UploadsMax = 5, IdleUploadsMax = 2 };
    private ManualTime _time = null!;
    private MemoryBlobStore _store = null!;
    private Uploads _uploads = null!;

    [SetUp]
    public void Open()
    {
        _time = new ManualTime();
        _store = new MemoryBlobStore(limitBytes: 64 << 20, retention: TimeSpan.FromHours(4), _time);
        _uploads = new Uploads(_options, _time);
    }

    [TearDown]
    public async Task Close() => await _uploads.DisposeAsync();

    [TestCase(700 << 10)]
    [TestCase(100_000)]
    [TestCase(997)]
    public async Task What_a_client_is_told_after_a_silent_cut_is_where_its_next_Write_goes_on(int pieceBytes)
    {
        byte[] data = new byte[1_000_000];
        new Random(3).NextBytes(data);
        var name = NameOf(data);
        var leftover = await _uploads.EnterAsync(name, default);
        await leftover.Upload.EnterAsync(_store, 0, default);
        for (int at = 0; at < 700 << 10; at += pieceBytes)
            await leftover.Upload.AppendAsync(data.AsMemory(at, Math.Min(pieceBytes, (700 << 10) - at)), default);

        // The connection is gone and nobody has noticed: the call is still there, with what it has gathered.
        long answer = _uploads.Find(name)!.CommittedBytes;
        var returning = _uploads.EnterAsync(name, default).AsTask();
        await leftover.DisposeAsync();
        await using var hold = await returning;
        await hold.Upload.EnterAsync(_store, answer, default);
        Assert.That(hold.Upload.ExpectedOffset, Is.EqualTo(answer));
        await hold.Upload.AppendAsync(data.AsMemory((int)answer), default);
        await hold.Upload.CommitAsync(default);

        Assert.That(await hold.Upload.FinishAsync(default), Is.EqualTo(data.Length));
        Assert.That((await _store.ReadAllAsync(name.Blob.Digest, data.Length, default))!.Value.ToArray(), Is.EqualTo(data));
    }

    [Test]
    public async Task A_client_that_goes_on_and_ends_before_what_came_earlier_is_refused()
    {
        byte[] data = new byte[1000];
        var name = NameOf(data);
        var first = await _uploads.EnterAsync(name, default);
        await first.Upload.EnterAsync(_store, 0, default);
        await first.Upload.AppendAsync(data.AsMemory(0, 600), default);
        await first.DisposeAsync();
        await using var hold = await _uploads.EnterAsync(name, default);
        await hold.Upload.EnterAsync(_store, 500, default);
        await hold.Upload.AppendAsync(data.AsMemory(500, 50), default);

        Assert.That(async () => await hold.Upload.CommitAsync(default), Throws.InstanceOf<RpcException>());
        Assert.That(hold.Upload.IsOver, Is.True);
    }

    [Test]
    public async Task A_call_that_is_ended_for_its_silence_leaves_what_it_brought()
    {
        byte[] data = new byte[100];
        var name = NameOf(data);
        var silent = await _uploads.EnterAsync(name, default);
        await silent.Upload.EnterAsync(_store, 0, default);
        await silent.Upload.AppendAsync(data.AsMemory(0, 50), default);
        var ended = new TaskCompletionSource();
        await using var registration = silent.CancellationToken.Register(ended.SetResult);
        _time.Advance(_options.UploadSilenceMax + _options.UploadIdleMax);
        await ended.Task;
        await silent.DisposeAsync();

        Assert.That(silent.Interruption!.StatusCode, Is.EqualTo(StatusCode.DeadlineExceeded));
        Assert.That(_uploads.Find(name)!.CommittedBytes, Is.EqualTo(50));
    }

    [Test]
    public async Task A_sweep_outlives_an_upload_that_cannot_be_given_back()
    {
        var (stubborn, good) = (new LendingStore(_store, new UnheardOfException()), new LendingStore(_store));
        await LeaveUnfinishedAsync(stubborn, "a");
        await LeaveUnfinishedAsync(good, "b");
        _time.Advance(_options.UploadIdleMax * 2);
        await stubborn.GivenBackAsync();
        await good.GivenBackAsync();

        await LeaveUnfinishedAsync(good, "c");
        _time.Advance(_options.UploadIdleMax * 2);
        await good.GivenBackAsync();
        Assert.That((_uploads.Count, _store.Usage.ReservedBytes), Is.EqualTo((0, 0L)));
    }

    [Test]
    public async Task A_newcomer_does_not_pay_for_an_upload_that_cannot_be_given_back()
    {
        await LeaveUnfinishedAsync(new LendingStore(_store, new UnheardOfException()), "a");
        _time.Advance(TimeSpan.FromSeconds(1));
        await LeaveUnfinishedAsync(_store, "b");
        await LeaveUnfinishedAsync(_store, "c");

        Assert.That(_uploads.Count, Is.EqualTo(2));
    }

    [Test]
    public async Task Of_those_whose_clients_have_left_only_so_many_are_kept_the_longest_idle_goes_first()
    {
        var store = new LendingStore(_store);
        await using var active = await BeginAsync(store, "active");
        foreach (string id in new[] { "a", "b", "c", "d" })
        {
            await LeaveUnfinishedAsync(store, id);
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.That((Kept("a"), Kept("b"), Kept("c"), Kept("d"), Kept("active")), Is.EqualTo((false, false, true, true, true)));
        Assert.That(_store.Usage.ReservedBytes, Is.EqualTo(300), "what is dropped holds neither room nor a file");
        await active.Upload.AppendAsync(new byte[50], default);
        await active.Upload.CommitAsync(default);
        Assert.That(await active.Upload.FinishAsync(default), Is.EqualTo(100));
    }

    [Test] // REAPI BW9: or its next offset would be refused as one that was never told
    public async Task Whose_client_has_just_asked_how_far_it_came_is_the_last_to_be_dropped_and_the_last_to_expire()
    {
        await LeaveUnfinishedAsync(_store, "asks");
        await LeaveUnfinishedAsync(_store, "b");
        _time.Advance(_options.UploadIdleMax * 0.9);
        Assert.That(Kept("asks"));

        await LeaveUnfinishedAsync(_store, "c");
        Assert.That((Kept("asks"), Kept("b"), Kept("c")), Is.EqualTo((true, false, true)));
        _time.Advance(_options.UploadIdleMax * 0.2);
        Assert.That(Kept("asks"));
    }

    [Test]
    public async Task At_the_bound_of_all_a_newcomer_takes_the_place_of_the_longest_idle_one()
    {
        await LeaveUnfinishedAsync(_store, "a");
        await LeaveUnfinishedAsync(_store, "b");
        var active = new List<UploadHold>();
        foreach (string id in new[] { "1", "2", "3", "4" }) active.Add(await BeginAsync(_store, id));

        Assert.That((Kept("a"), Kept("b"), _uploads.Count), Is.EqualTo((false, true, 5)));
        foreach (var hold in active) await hold.DisposeAsync();
    }

    [Test]
    public async Task When_all_have_a_call_a_newcomer_is_refused_and_may_try_again()
    {
        var active = new List<UploadHold>();
        foreach (string id in new[] { "1", "2", "3", "4", "5" }) active.Add(await BeginAsync(_store, id));

        var refusal = Assert.ThrowsAsync<RpcException>(async () => await BeginAsync(_store, "6"));
        Assert.That(refusal.StatusCode, Is.EqualTo(StatusCode.ResourceExhausted));
        Assert.That(refusal.ToStatus().Details.Single().Is(Google.Rpc.RetryInfo.Descriptor));
        Assert.That(active.Select(hold => hold.Interruption), Is.All.Null);

        foreach (var hold in active) await hold.DisposeAsync();
        await LeaveUnfinishedAsync(_store, "6");
        Assert.That(Kept("6"), Is.True);
    }

    [Test]
    public async Task A_client_whose_upload_was_dropped_begins_at_0_again()
    {
        foreach (string id in new[] { "a", "b", "c" }) await LeaveUnfinishedAsync(_store, id);

        await using var back = await _uploads.EnterAsync(NameOf(new byte[100], "a"), default);
        await back.Upload.EnterAsync(_store, 50, default);
        Assert.That((back.Upload.CommittedBytes, back.Upload.ExpectedOffset), Is.EqualTo((0L, 0L)));
    }

    [Test]
    public async Task Who_came_back_is_idle_from_its_leaving_anew()
    {
        await LeaveUnfinishedAsync(_store, "a");
        await LeaveUnfinishedAsync(_store, "b");
        await LeaveUnfinishedAsync(_store, "a");
        await LeaveUnfinishedAsync(_store, "c");

        Assert.That((Kept("a"), Kept("b"), Kept("c")), Is.EqualTo((true, false, true)));
    }

    [Test]
    public async Task A_crowd_that_leaves_at_once_is_one_line_in_the_log()
    {
        using var listener = new KeptLines();
        Trace.Listeners.Add(listener);
        try
        {
            for (int i = 0; i < 20; i++) await LeaveUnfinishedAsync(_store, $"{i}");
            Assert.That(listener.Lines.Count(line => line.Contains("too many unfinished uploads", StringComparison.Ordinal)), Is.EqualTo(1));
        }
        finally
        {
            Trace.Listeners.Remove(listener);
        }
    }

    [TestCase(1024, 256)]
    [TestCase(1_048_576, 8192)]
    [TestCase(null, 8192)]
    public void A_quarter_of_the_files_is_for_uploads(long? openFilesMax, int uploadsMax) =>
        Assert.That(ServicesOptions.UploadsMaxOf(openFilesMax), Is.EqualTo(uploadsMax));

    [TestCase(1024, 128)]
    [TestCase(1_048_576, 32_768)]
    [TestCase(null, 32_768)]
    public void An_eighth_of_the_files_is_for_reads(long? openFilesMax, int readsMax) =>
        Assert.That(ServicesOptions.OpenReadsMaxOf(openFilesMax), Is.EqualTo(readsMax));

    private bool Kept(string id) => _uploads.Find(NameOf(new byte[100], id)) is not null;

    private static UploadResourceName NameOf(byte[] data, string id = "id") =>
        new(id, new BlobResourceName(InstanceName.Empty, Digest.Of(DigestFunction.Sha256, data)));

    private async Task LeaveUnfinishedAsync(IBlobStore store, string id)
    {
        await using var hold = await BeginAsync(store, id);
    }

    private async Task<UploadHold> BeginAsync(IBlobStore store, string id)
    {
        byte[] data = new byte[100];
        var hold = await _uploads.EnterAsync(NameOf(data, id), default);
        await hold.Upload.EnterAsync(store, 0, default);
        await hold.Upload.AppendAsync(data.AsMemory(0, 50), default);
        return hold;
    }

    private sealed class KeptLines : TraceListener
    {
        private readonly ConcurrentQueue<string> _lines = new();

        public IEnumerable<string> Lines => _lines;

        public override void Write(string? message)
        {
        }

        public override void WriteLine(string? message) => _lines.Enqueue(message ?? "");
    }
}
