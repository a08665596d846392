using Grpc.Core;
using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

/// <summary>What a store that is away costs those who ask it.</summary>
public sealed class CircuitBlobStoreTests
{
    private static readonly Digest Absent = Blobs.DigestOf(Blobs.Of(99, 10));

    private readonly List<string?> _changes = [];
    private ManualTime _time = null!;
    private FaultyBlobStore _node = null!;
    private CircuitOptions _options = null!;
    private CircuitBlobStore _store = null!;

    [SetUp]
    public void CreateStore()
    {
        _changes.Clear();
        _time = new ManualTime();
        _node = new FaultyBlobStore(new MemoryBlobStore(8 << 20, TimeSpan.FromHours(4), _time));
        _options = new CircuitOptions { Time = _time, AwayChanged = _changes.Add };
        _store = new CircuitBlobStore("node 1", _node, _options);
    }

    [Test]
    public void After_some_failures_in_a_row_it_is_not_asked_any_more()
    {
        _node.IsAway = true;
        for (int i = 0; i < 10; i++) Refused();

        Assert.That(_node.Questions, Is.EqualTo(_options.FailuresMax));
        Assert.That(_store.IsAway, Is.True);
        Assert.That(_changes, Is.EqualTo(new[] { "switched off" }));
    }

    [Test]
    public async Task Of_a_pair_one_of_which_is_switched_off_the_other_answers()
    {
        var other = new MemoryBlobStore(8 << 20, TimeSpan.FromHours(4), _time);
        var digest = await other.PutAsync(Blobs.Of(1, 1000));
        _node.IsAway = true;
        for (int i = 0; i < _options.FailuresMax; i++) Refused();
        await using var repairs = new BlobRepairs(_time);
        var pair = new MirroredBlobStore(new BlobNode("node 1", _store), new BlobNode("node 2", other), repairs);

        Assert.That(await pair.FindMissingAsync([digest, Absent], default), Is.EqualTo(new[] { Absent }));
        Assert.That(await pair.FindMissingAsync([digest, Absent], PromiseKind.Hit, default), Is.EqualTo(new[] { Absent }));
        Assert.That(await pair.GetAsync(digest), Is.EqualTo(Blobs.Of(1, 1000)));
    }

    [Test]
    public async Task One_asks_after_a_pause_and_all_do_when_it_answers()
    {
        _node.IsAway = true;
        for (int i = 0; i < 5; i++) Refused();
        _node.IsAway = false;
        Refused();
        _time.Advance(_options.PauseMin);

        Assert.That(await _store.HasAsync(Absent), Is.False);
        Assert.That(_store.IsAway, Is.False);
        Assert.That(_changes, Is.EqualTo(new[] { "switched off", null }));
    }

    [Test]
    public void Pauses_double_up_to_a_limit()
    {
        _node.IsAway = true;
        for (int i = 0; i < _options.FailuresMax; i++) Refused();
        var pauses = new List<double>();
        for (int i = 0; i < 7; i++)
        {
            int asked = _node.Questions;
            double seconds = 0;
            for (; _node.Questions == asked; seconds++)
            {
                _time.Advance(TimeSpan.FromSeconds(1));
                Refused();
            }

            pauses.Add(seconds);
        }

        Assert.That(pauses, Is.EqualTo(new double[] { 1, 2, 4, 8, 16, 30, 30 }));
    }

    [Test]
    public async Task A_question_without_an_answer_ends_in_time()
    {
        _node.IsMute = true;
        var asking = _store.FindMissingAsync([Absent], default).AsTask();
        await _time.WaitForTimerAsync(_options.AnswerMax);
        _time.Advance(_options.AnswerMax);

        var refused = Assert.ThrowsAsync<RpcException>(async () => await asking.WaitAsync(TimeSpan.FromSeconds(60)))!;
        Assert.That(refused.StatusCode, Is.EqualTo(StatusCode.Unavailable));
        Assert.That(refused.Status.Detail, Is.EqualTo("node 1: it did not answer within 10 s"));
    }

    [Test]
    public async Task A_piece_that_does_not_come_ends_in_time()
    {
        var digest = await _store.PutAsync(Blobs.Of(1, 1000));
        await using var reader = (await _store.OpenReadAsync(digest, 0, default))!;
        _node.IsMute = true;
        var reading = reader.ReadAsync(new byte[1], default).AsTask();
        await _time.WaitForTimerAsync(_options.PieceMax);
        _time.Advance(_options.PieceMax);

        Assert.That(
            Assert.ThrowsAsync<RpcException>(async () => await reading.WaitAsync(TimeSpan.FromSeconds(60)))!.StatusCode, Is.EqualTo(StatusCode.Unavailable));
    }

    [Test]
    public void A_refusal_is_an_answer_and_keeps_its_code_and_its_details()
    {
        _node.RefusesWrites = StatusCode.ResourceExhausted;
        for (int i = 0; i < 10; i++)
        {
            var refused = Assert.ThrowsAsync<RpcException>(async () => await _store.PutAsync(Blobs.Of(1, 10)))!;
            Assert.That((refused.StatusCode, refused.Status.Detail), Is.EqualTo((StatusCode.ResourceExhausted, "node 1: refused")));
        }

        Assert.That(_store.IsAway, Is.False);
    }

    [Test]
    public async Task Who_gives_up_says_nothing_of_the_store()
    {
        _node.IsMute = true;
        for (int i = 0; i < 10; i++)
        {
            using var leaving = new CancellationTokenSource();
            var asking = _store.FindMissingAsync([Absent], leaving.Token).AsTask();
            await leaving.CancelAsync();
            Assert.That(async () => await asking, Throws.InstanceOf<OperationCanceledException>());
        }

        Assert.That(_store.IsAway, Is.False);
    }

    [Test]
    public async Task A_batch_is_one_question_and_each_blob_has_its_own_status()
    {
        byte[] good = Blobs.Of(1, 100), full = Blobs.Of(2, 100);
        _node.Refuses = digest => digest == Blobs.DigestOf(full) ? StatusCode.ResourceExhausted : null;
        for (int i = 0; i < 2 * _options.FailuresMax; i++)
        {
            var statuses = await _store.WriteManyAsync([(Blobs.DigestOf(good), good), (Blobs.DigestOf(full), full)], default);
            Assert.That(statuses.Select(status => (status.StatusCode, status.Detail)), Is.EqualTo([(StatusCode.OK, ""), (StatusCode.ResourceExhausted, "node 1: refused")]));
        }

        Assert.That((_store.IsAway, _node.Batches.Count), Is.EqualTo((false, 2 * _options.FailuresMax)));
    }

    [Test]
    public void A_node_of_which_no_blob_of_a_batch_got_through_has_failed([Values] bool asStatuses)
    {
        if (asStatuses) _node.RefusesWrites = StatusCode.Unavailable;
        else _node.IsAway = true;
        byte[] data = Blobs.Of(1, 100);
        for (int i = 0; i < 10; i++)
        {
            Assert.That(async () => await _store.WriteManyAsync([(Blobs.DigestOf(data), data)], default),
                Throws.TypeOf<RpcException>().With.Property("StatusCode").EqualTo(StatusCode.Unavailable).And.Message.Contains("node 1: "));
        }

        Assert.That((_store.IsAway, _node.Batches.Count), Is.EqualTo((true, _options.FailuresMax)));
    }

    [Test]
    public async Task A_node_that_does_not_answer_a_batch_is_given_up_in_time()
    {
        _node.IsMute = true;
        byte[] data = Blobs.Of(1, 100);
        var writing = _store.WriteManyAsync([(Blobs.DigestOf(data), data)], default).AsTask();
        await _time.WaitForTimerAsync(_options.PieceMax);
        _time.Advance(_options.PieceMax);

        Assert.That(Assert.ThrowsAsync<RpcException>(async () => await writing.WaitAsync(TimeSpan.FromMinutes(1)))!.Status.Detail, Is.EqualTo("node 1: it did not answer within 30 s"));
    }

    private void Refused() => Assert.That(
        Assert.ThrowsAsync<RpcException>(async () => await _store.FindMissingAsync([Absent], default))!.StatusCode, Is.EqualTo(StatusCode.Unavailable));
}
