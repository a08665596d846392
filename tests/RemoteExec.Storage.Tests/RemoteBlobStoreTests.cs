using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Grpc.Core;
using Grpc.Net.Client;
using NUnit.Framework;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Rpc;

namespace RemoteExec.Storage.Tests;

/// <summary>The contract, kept over a real wire.</summary>
public sealed class RemoteBlobStoreTests : BlobStoreContract
{
    private static readonly TimeSpan OutageMax = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan PauseMax = TimeSpan.FromSeconds(2);

    private SmallBlobServer _peer = null!;
    private MemoryBlobStore _inner = null!;
    private RpcLoopback _server = null!;
    private GrpcChannel _channel = null!;

    private protected override bool KnowsPresenceAtOnce => false;

    [Test]
    public async Task A_read_that_breaks_is_taken_up_where_it_broke()
    {
        byte[] data = Blobs.Of(1, 2_000_000);
        var digest = await _inner.PutAsync(data);
        _peer.BreakReadAfter = 500_000;

        Assert.That(await Store.GetAsync(digest), Is.EqualTo(data));
        Assert.That(_peer.Reads, Is.EqualTo(2));
    }

    [Test]
    public async Task A_wrong_large_blob_is_refused_by_the_server_with_its_reason()
    {
        byte[] data = Blobs.Of(1, 2_000_000);
        var digest = Blobs.DigestOf(data);
        data[7] ^= 1;

        await RefusedAsync(StatusCode.InvalidArgument, async () => await Store.WriteAllAsync(digest, data, default));
        Assert.That(_inner.Usage.Blobs, Is.Zero);
    }

    [Test]
    public async Task A_full_server_says_so_for_small_and_large()
    {
        for (int i = 0; i < 2; i++) await _inner.PutAsync(Blobs.Of(i, 4 << 20));

        await RefusedAsync(StatusCode.ResourceExhausted, async () => await Store.PutAsync(Blobs.Of(5, 100)));
        await RefusedAsync(StatusCode.ResourceExhausted, async () => await Store.PutAsync(Blobs.Of(6, 2 << 20)));
    }

    [Test]
    public async Task An_upload_that_breaks_goes_on_from_what_has_arrived()
    {
        byte[] data = Blobs.Of(1, 3_000_000);
        var source = await SourceOf(data);
        _peer.BreakWriteAfter = 1_000_000;

        await source.CopyAsync(Blobs.DigestOf(data), Store, default);

        Assert.That(await _inner.GetAsync(Blobs.DigestOf(data)), Is.EqualTo(data));
        Assert.That(_peer.WriteOffsets, Has.Count.EqualTo(2));
        Assert.That(_peer.WriteOffsets.Last(), Is.GreaterThanOrEqualTo(1_000_000));
    }

    [Test]
    public async Task An_upload_to_a_server_that_was_killed_begins_again()
    {
        byte[] data = Blobs.Of(1, 3_000_000);
        var source = await SourceOf(data);
        (_peer.BreakWriteAfter, _peer.ForgetsUploads) = (1_000_000, true);

        await source.CopyAsync(Blobs.DigestOf(data), Store, default);

        Assert.That(await _inner.GetAsync(Blobs.DigestOf(data)), Is.EqualTo(data));
        Assert.That(_peer.WriteOffsets, Is.EqualTo(new[] { 0L, 0L }));
    }

    [Test]
    public async Task An_upload_waits_for_its_server_to_come_back()
    {
        byte[] data = Blobs.Of(1, 3_000_000);
        var source = await SourceOf(data);
        _peer.IsAway = true;
        var copying = source.CopyAsync(Blobs.DigestOf(data), Store, default).AsTask();
        for (int pause = 0; pause < 3; pause++)
        {
            await Time.WaitForTimerAsync(TimeSpan.Zero, PauseMax);
            Time.Advance(PauseMax);
        }

        await Time.WaitForTimerAsync(TimeSpan.Zero, PauseMax);
        _peer.IsAway = false;
        Time.Advance(PauseMax);
        await copying;

        Assert.That(await _inner.GetAsync(Blobs.DigestOf(data)), Is.EqualTo(data));
    }

    [Test]
    public async Task An_upload_to_a_server_that_stays_away_gives_up_in_time()
    {
        byte[] data = Blobs.Of(1, 3_000_000);
        var source = await SourceOf(data);
        _peer.IsAway = true;
        var copying = source.CopyAsync(Blobs.DigestOf(data), Store, default).AsTask();
        var start = Time.GetUtcNow();
        while (await Task.WhenAny(copying, Time.WaitForTimerAsync(TimeSpan.Zero, PauseMax)) != copying)
            Time.Advance(PauseMax);

        Assert.That(Assert.ThrowsAsync<RpcException>(async () => await copying)!.StatusCode, Is.EqualTo(StatusCode.Unavailable));
        Assert.That(Time.GetUtcNow() - start, Is.InRange(OutageMax, OutageMax + PauseMax));
    }

    [Test]
    public async Task A_server_that_breaks_off_each_upload_does_not_keep_it_for_ever()
    {
        byte[] data = Blobs.Of(1, 3_000_000);
        var source = await SourceOf(data);
        _peer.BreaksEveryWrite = true;
        var copying = source.CopyAsync(Blobs.DigestOf(data), Store, default).AsTask();
        while (await Task.WhenAny(copying, Time.WaitForTimerAsync(TimeSpan.Zero, PauseMax)) != copying)
            Time.Advance(PauseMax);

        Assert.That(Assert.ThrowsAsync<RpcException>(async () => await copying)!.StatusCode, Is.EqualTo(StatusCode.Unavailable));
    }

    [Test]
    public async Task Small_blobs_that_are_wanted_at_the_same_time_travel_together()
    {
        var blobs = Enumerable.Range(0, 500).Select(i => Blobs.Of(i, 1000 + i)).ToList();
        var batch = blobs.Select(data => (Blobs.DigestOf(data), (ReadOnlyMemory<byte>)data)).ToList();

        Assert.That((await Store.WriteManyAsync(batch, default)).Select(status => status.StatusCode), Is.All.EqualTo(StatusCode.OK));
        int written = _peer.Batches.Count;
        Assert.That(written, Is.EqualTo(1), "a batch that fits a message is one call");
        var read = await Task.WhenAll(blobs.Select(data => Store.GetAsync(Blobs.DigestOf(data))));

        Assert.That(read, Is.EqualTo(blobs));
        Assert.That(_peer.Batches.Count - written, Is.LessThan(50));
        Assert.That(_peer.Batches.Sum(), Is.EqualTo(1000));
    }

    [TestCase(0)]
    [TestCase(1)]
    public async Task The_wrong_bytes_of_one_are_not_the_answer_to_the_right_ones_of_another(int wrong)
    {
        byte[] right = Blobs.Of(1, 1000), other = Blobs.Of(2, 1000);
        var digest = Blobs.DigestOf(right);
        (Digest, ReadOnlyMemory<byte>)[] batch = wrong == 0 ? [(digest, other), (digest, right)] : [(digest, right), (digest, other)];

        var codes = (await Store.WriteManyAsync(batch, default)).Select(status => status.StatusCode).ToArray();

        Assert.That(codes[1 - wrong], Is.EqualTo(StatusCode.OK));
        Assert.That(codes[wrong], Is.EqualTo(StatusCode.InvalidArgument).Or.EqualTo(StatusCode.OK), "it is there by then, or these bytes are refused");
        Assert.That(await _inner.HasAsync(digest), Is.True);
    }

    [Test]
    public async Task A_batch_holds_no_more_than_a_message_may()
    {
        var blobs = Enumerable.Range(0, 10).Select(i => Blobs.Of(i, 700_000)).ToList();
        var gate = new TaskCompletionSource();
        _peer.BeforeBatchAsync = () => gate.Task;
        var writes = blobs.Select(data => Store.PutAsync(data)).ToList();
        gate.SetResult();
        await Task.WhenAll(writes);

        Assert.That(_peer.Batches.Max(), Is.LessThanOrEqualTo(4));
    }

    [Test]
    public async Task A_batch_that_fails_fails_those_who_asked_and_nobody_after_them()
    {
        byte[] data = Blobs.Of(1, 1000);
        var digest = await _inner.PutAsync(data);
        _peer.BeforeBatchAsync = () => throw new InvalidTimeZoneException("an exception that nobody thought of");
        for (int i = 0; i < 10; i++)
            Assert.That(async () => await Store.GetAsync(digest), Throws.InstanceOf<RpcException>());

        _peer.BeforeBatchAsync = () => Task.CompletedTask;
        Assert.That(await Store.GetAsync(digest), Is.EqualTo(data));
    }

    [Test]
    public async Task Small_blobs_wait_for_their_server_to_come_back()
    {
        byte[] data = Blobs.Of(1, 1000);
        bool isAway = true;
        _peer.BeforeBatchAsync = () => isAway ? throw RpcErrors.Unavailable("away") : Task.CompletedTask;
        var writing = Store.PutAsync(data);
        await Time.WaitForTimerAsync(TimeSpan.Zero, PauseMax);
        isAway = false;
        Time.Advance(PauseMax);
        await writing;

        Assert.That(await _inner.GetAsync(Blobs.DigestOf(data)), Is.EqualTo(data));
    }

    [Test]
    public async Task Who_leaves_a_batch_takes_nobody_along()
    {
        byte[] data = Blobs.Of(1, 1000);
        var digest = await _inner.PutAsync(data);
        var gate = new TaskCompletionSource();
        _peer.BeforeBatchAsync = () => gate.Task;
        using var leaving = new CancellationTokenSource();
        var left = Store.OpenReadAsync(digest, 0, leaving.Token).AsTask();
        var staying = Store.GetAsync(digest);
        await leaving.CancelAsync();
        Assert.That(async () => await left, Throws.InstanceOf<OperationCanceledException>());
        gate.SetResult();

        Assert.That(await staying, Is.EqualTo(data));
    }

    private static async Task<IBlobStore> SourceOf(byte[] data)
    {
        var source = new MemoryBlobStore(LimitBytes, TimeSpan.FromHours(4), new ManualTime());
        await source.PutAsync(data);
        return source;
    }

    private protected override async Task<IBlobStore> CreateStoreAsync()
    {
        _inner = new MemoryBlobStore(LimitBytes, TimeSpan.FromHours(4), Time);
        _peer = new SmallBlobServer(_inner);
        var methods = new RpcMethods();
        methods.Add<SmallBlobServer>(RpcLimits.Default, binder =>
        {
            ContentAddressableStorage.BindService(binder, _peer.Blobs);
            ByteStream.BindService(binder, _peer.Bytes);
        });
        _server = await RpcLoopback.StartAsync(methods);
        _channel = RpcChannels.Create(_server.Address, new RpcChannelOptions { AttemptsMax = 1 });
        return new RemoteBlobStore(_channel, InstanceName.Empty, new RemoteBlobStoreOptions { Time = Time, OutageMax = OutageMax });
    }

    private protected override async Task DeleteStoreAsync(IBlobStore store)
    {
        _channel.Dispose();
        await _server.DisposeAsync();
    }
}
