using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol.V1;
using RemoteExec.Storage;

namespace RemoteExec.Worker.Tests;

/// <summary>Blobs between a worker's own store and the one it works for.</summary>
public sealed class TransferTests
{
    private readonly ManualTime _time = new();
    private readonly StorePatience _patience;
    private TemporaryFolder _folder = null!;
    private FolderBlobStore _local = null!;
    private FolderBlobStore _remote = null!;

    public TransferTests() => _patience = new StorePatience(_time);

    [SetUp]
    public void MakeStores()
    {
        _folder = new TemporaryFolder();
        _local = new FolderBlobStore(_folder.Sub("local"));
        _remote = new FolderBlobStore(_folder.Sub("remote"));
    }

    [TearDown]
    public void RemoveStores() => _folder.Dispose();

    [Test]
    public async Task Only_what_is_not_here_travels_and_what_is_nowhere_is_told()
    {
        var here = _local.Put(DigestFunction.Sha256, "here"u8);
        var there = _remote.Put(DigestFunction.Sha256, "over there"u8);
        var large = _remote.Put(DigestFunction.Sha256, new byte[1_000_000]);
        var nowhere = Digest.Of(DigestFunction.Sha256, "nowhere"u8);

        var outcome = await new BlobFetcher(_local, _remote).EnsureLocalAsync([here, there, large, nowhere], default);

        Assert.That(outcome.Missing, Is.EqualTo([nowhere]));
        Assert.That(outcome.FetchedBytes, Is.EqualTo(1_000_010));
        Assert.That(new[] { there, large }.Select(_local.Has), Is.All.True);
    }

    [Test]
    public async Task A_message_read_from_afar_stays_here_for_the_next_action()
    {
        var message = _remote.Put(DigestFunction.Sha256, "a directory"u8);
        var fetcher = new BlobFetcher(_local, _remote);

        Assert.That((await fetcher.ReadAsync(message, 100, default))?.ToArray(), Is.EqualTo("a directory"u8.ToArray()));
        _remote.Remove(message);
        Assert.That((await fetcher.ReadAsync(message, 100, default))?.ToArray(), Is.EqualTo("a directory"u8.ToArray()));
    }

    [Test]
    public async Task A_message_that_is_nowhere_is_a_miss() =>
        Assert.That(await new BlobFetcher(_local, _remote).ReadAsync(Digest.Of(DigestFunction.Sha256, "x"u8), 100, default), Is.Null);

    [Test]
    public async Task A_blob_that_many_actions_want_is_brought_once()
    {
        var toolchain = _remote.Put(DigestFunction.Sha256, new byte[1_000_000]);
        var gated = new GatedStore(_remote);
        var fetcher = new BlobFetcher(_local, gated);
        var wanting = Enumerable.Range(0, 16).Select(_ => fetcher.EnsureLocalAsync([toolchain], default).AsTask()).ToList();
        await gated.Reached;
        gated.Open();
        var outcomes = await Task.WhenAll(wanting);

        Assert.That(gated.Opened, Is.EqualTo(1));
        Assert.That(outcomes.Sum(outcome => outcome.FetchedBytes), Is.EqualTo(1_000_000));
        Assert.That(outcomes.SelectMany(outcome => outcome.Missing), Is.Empty);
    }

    [Test]
    public async Task When_the_action_that_brings_a_blob_is_cancelled_the_next_one_brings_it()
    {
        var blob = _remote.Put(DigestFunction.Sha256, "wanted by two"u8);
        var gated = new GatedStore(_remote);
        var fetcher = new BlobFetcher(_local, gated);
        using var cancelled = new CancellationTokenSource();
        var first = fetcher.EnsureLocalAsync([blob], cancelled.Token).AsTask();
        await gated.Reached;
        var second = fetcher.EnsureLocalAsync([blob], default).AsTask();
        await cancelled.CancelAsync();
        Assert.That(async () => await first, Throws.InstanceOf<OperationCanceledException>());
        gated.Open();

        Assert.That((await second).Missing, Is.Empty);
        Assert.That(_local.Has(blob), Is.True);
    }

    [Test]
    public async Task When_bringing_a_blob_fails_the_others_try_for_themselves()
    {
        var blob = _remote.Put(DigestFunction.Sha256, "wanted by two"u8);
        var gated = new GatedStore(_remote) { FailuresLeft = 1 };
        var fetcher = new BlobFetcher(_local, gated);
        var both = new[] { fetcher.EnsureLocalAsync([blob], default).AsTask(), fetcher.EnsureLocalAsync([blob], default).AsTask() };
        await gated.Reached;
        gated.Open();
        await Task.WhenAll(both.Select(one => one.ContinueWith(_ => { }, TaskScheduler.Default)));

        Assert.That(both.Count(one => one.IsFaulted), Is.EqualTo(1), "nobody is told a stranger's failure");
        Assert.That(_local.Has(blob), Is.True);
    }

    [Test]
    public async Task A_blob_that_is_nowhere_is_missing_for_all_who_want_it()
    {
        var nowhere = Digest.Of(DigestFunction.Sha256, "nowhere"u8);
        var gated = new GatedStore(_remote);
        var fetcher = new BlobFetcher(_local, gated);
        var both = new[] { fetcher.EnsureLocalAsync([nowhere], default).AsTask(), fetcher.EnsureLocalAsync([nowhere], default).AsTask() };
        await gated.Reached;
        gated.Open();

        foreach (var outcome in await Task.WhenAll(both)) Assert.That(outcome.Missing, Is.EqualTo([nowhere]));
    }

    [Test]
    public async Task Outputs_are_brought_to_the_coordinator()
    {
        var one = _local.Put(DigestFunction.Sha256, "one"u8);
        var two = _local.Put(DigestFunction.Sha256, new byte[600_000]);

        await new OutputUploader(_local, _remote, _patience).UploadAsync(Outputs(one, two), default);

        Assert.That(new[] { one, two }.Select(_remote.Has), Is.All.True);
    }

    [Test]
    public void An_output_that_is_gone_blames_the_worker()
    {
        var gone = Digest.Of(DigestFunction.Sha256, "gone"u8);

        Assert.That(
            async () => await new OutputUploader(_local, _remote, _patience).UploadAsync(Outputs(gone), default),
            Throws.InstanceOf<RpcException>().With.Property(nameof(RpcException.StatusCode)).EqualTo(StatusCode.Unavailable));
    }

    [Test]
    public async Task An_output_that_the_cache_gave_up_before_it_was_uploaded_is_stored_again()
    {
        var output = _local.Put(DigestFunction.Sha256, "made"u8);
        var outputs = new CollectedOutputs();
        outputs.Add(output, _ =>
        {
            _local.Put(DigestFunction.Sha256, "made"u8);
            return ValueTask.CompletedTask;
        });
        _local.Remove(output);

        await new OutputUploader(_local, _remote, _patience).UploadAsync(outputs, default);

        Assert.That(_remote.Has(output), Is.True);
    }

    [Test]
    public async Task An_upload_of_outputs_is_resumed_where_the_way_broke()
    {
        var output = _local.Put(DigestFunction.Sha256, new byte[1_000_000]);
        var remote = new BreakingStore(_remote);

        await new OutputUploader(_local, new OwnedBlobStore(remote, StoreOwner.Everybody), _patience).UploadAsync(Outputs(output), default);

        Assert.That((remote.Resumed, _remote.Has(output)), Is.EqualTo((true, true)));
    }

    [TestCase(StatusCode.Internal)]
    [TestCase(StatusCode.ResourceExhausted)]
    [TestCase(StatusCode.Unavailable)]
    public async Task Outputs_wait_while_the_store_of_all_is_out_of_order(StatusCode code)
    {
        var output = _local.Put(DigestFunction.Sha256, "made"u8);
        var failing = new FailingStore(_remote, code) { Failures = 4 };

        await UploadToAsync(failing, output, pauses: 4);

        Assert.That((failing.Failures, _remote.Has(output)), Is.EqualTo((0, true)));
    }

    [Test]
    public void Outputs_do_not_wait_for_ever_and_the_failure_is_the_store_s()
    {
        var output = _local.Put(DigestFunction.Sha256, "made"u8);
        var failing = new FailingStore(_remote, StatusCode.Internal) { Failures = int.MaxValue };

        var failure = Assert.CatchAsync(async () => await UploadToAsync(failing, output, pauses: 5))!;

        Assert.That(Failure.Of(Stage.Take, failure, "w").Blame, Is.EqualTo(Blame.Store));
        Assert.That(int.MaxValue - failing.Failures, Is.EqualTo(6));
    }

    [Test]
    public void An_output_that_the_store_of_all_refuses_does_not_wait()
    {
        var output = _local.Put(DigestFunction.Sha256, "made"u8);
        var failing = new FailingStore(_remote, StatusCode.InvalidArgument) { Failures = 1 };

        Assert.That(async () => await UploadToAsync(failing, output, pauses: 0), Throws.InstanceOf<StoreFailure>());
        Assert.That(failing.Failures, Is.Zero);
    }

    private async Task UploadToAsync(IBlobStore remote, Digest output, int pauses)
    {
        var upload = new OutputUploader(_local, new OwnedBlobStore(remote, StoreOwner.Everybody), _patience).UploadAsync(Outputs(output), default).AsTask();
        for (int i = 0; i < pauses; i++)
        {
            var pause = TimeSpan.FromSeconds(1 << i);
            await _time.WaitForTimerAsync(pause);
            _time.Advance(pause);
        }

        await upload;
    }

    /// <summary>They can be stored once only.</summary>
    private static CollectedOutputs Outputs(params Digest[] digests)
    {
        var outputs = new CollectedOutputs();
        foreach (var digest in digests) outputs.Add(digest, _ => ValueTask.CompletedTask);
        return outputs;
    }

    /// <summary>Takes nothing so many times.</summary>
    private sealed class FailingStore(IBlobStore inner, StatusCode code) : IBlobStore
    {
        public int Failures { get; set; }

        public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
            inner.FindMissingAsync(digests, cancellationToken);

        public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
            inner.OpenReadAsync(digest, offset, cancellationToken);

        public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
            Failures == 0 || Failures-- == 0 ? inner.CreateWriterAsync(digest, cancellationToken) : throw new RpcException(new Status(code, "no"));
    }

    /// <summary>Loses its connection in the middle of every upload, once.</summary>
    private sealed class BreakingStore(IBlobStore inner) : IBlobStore
    {
        public bool Resumed { get; private set; }

        public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
            inner.FindMissingAsync(digests, cancellationToken);

        public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
            inner.OpenReadAsync(digest, offset, cancellationToken);

        public async ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
            new Writer(this, await inner.CreateWriterAsync(digest, cancellationToken));

        private sealed class Writer(BreakingStore store, IBlobWriter inner) : IResumableBlobWriter
        {
            public long WrittenBytes => inner.WrittenBytes;

            public bool AlreadyPresent => inner.AlreadyPresent;

            public ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) =>
                WrittenBytes == 0 || store.Resumed
                    ? inner.AppendAsync(data, cancellationToken)
                    : throw new RpcException(new Status(StatusCode.Unavailable, "the server was killed"));

            public ValueTask CommitAsync(CancellationToken cancellationToken) => inner.CommitAsync(cancellationToken);

            public ValueTask ResumeAsync(RpcException cut, CancellationToken cancellationToken)
            {
                store.Resumed = true;
                return ValueTask.CompletedTask;
            }

            public ValueTask DisposeAsync() => inner.DisposeAsync();
        }
    }
}
