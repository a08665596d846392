using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Core;
using RemoteExec.Storage;

namespace RemoteExec.Services.Tests;

/// <summary>Uploads between and beside their calls, where a wire would only guess what has arrived.</summary>
internal sealed class UploadsTests
{
    private readonly ServicesOptions _options = new() { UploadsMax = 2 };
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
        var stubborn = new StubbornStore(_store);
        await LeaveUnfinishedAsync(stubborn, "a");
        await LeaveUnfinishedAsync(_store, "b");
        _time.Advance(_options.UploadIdleMax * 2);
        await ForgottenAsync();
        await stubborn.Refused;

        await LeaveUnfinishedAsync(_store, "c");
        _time.Advance(_options.UploadIdleMax * 2);
        await ForgottenAsync();
        Assert.That(_store.Usage.ReservedBytes, Is.Zero);
    }

    [Test]
    public async Task A_newcomer_does_not_pay_for_an_upload_that_cannot_be_given_back()
    {
        await LeaveUnfinishedAsync(new StubbornStore(_store), "a");
        _time.Advance(TimeSpan.FromSeconds(1));
        await LeaveUnfinishedAsync(_store, "b");
        await LeaveUnfinishedAsync(_store, "c");

        Assert.That(_uploads.Count, Is.EqualTo(2));
    }

    private static UploadResourceName NameOf(byte[] data, string id = "id") =>
        new(id, new BlobResourceName(InstanceName.Empty, Digest.Of(DigestFunction.Sha256, data)));

    private async Task LeaveUnfinishedAsync(IBlobStore store, string id)
    {
        byte[] data = new byte[100];
        await using var hold = await _uploads.EnterAsync(NameOf(data, id), default);
        await hold.Upload.EnterAsync(store, 0, default);
        await hold.Upload.AppendAsync(data.AsMemory(0, 50), default);
    }

    /// <summary>The sweep goes on behind the thread that moves the clock.</summary>
    private async Task ForgottenAsync()
    {
        var soon = System.Diagnostics.Stopwatch.StartNew();
        while (_uploads.Count > 0 || _store.Usage.ReservedBytes > 0)
        {
            Assert.That(soon.Elapsed, Is.LessThan(TimeSpan.FromSeconds(30)));
            await Task.Yield();
        }
    }

    /// <summary>A store whose writers fail when they are disposed, with an exception that nobody thought of.</summary>
    private sealed class StubbornStore(IBlobStore inner) : IBlobStore
    {
        private readonly TaskCompletionSource _refused = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Refused => _refused.Task;

        public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
            inner.FindMissingAsync(digests, cancellationToken);

        public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
            inner.OpenReadAsync(digest, offset, cancellationToken);

        public async ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
            new Writer(await inner.CreateWriterAsync(digest, cancellationToken), _refused);

        private sealed class Writer(IBlobWriter inner, TaskCompletionSource refused) : IBlobWriter
        {
            public long WrittenBytes => inner.WrittenBytes;

            public bool AlreadyPresent => inner.AlreadyPresent;

            public ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) => inner.AppendAsync(data, cancellationToken);

            public ValueTask CommitAsync(CancellationToken cancellationToken) => inner.CommitAsync(cancellationToken);

            public async ValueTask DisposeAsync()
            {
                await inner.DisposeAsync();
                refused.TrySetResult();
                throw new InvalidTimeZoneException("an exception that nobody thought of");
            }
        }
    }
}
