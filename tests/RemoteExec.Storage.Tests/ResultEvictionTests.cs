using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using NUnit.Framework;
using RemoteExec.Core;
using RemoteExec.Protocol;
using Directory = Build.Bazel.Remote.Execution.V2.Directory;

namespace RemoteExec.Storage.Tests;

/// <summary>Results go as a whole: one that lost a blob to eviction takes with it what is of use to nobody else.</summary>
public sealed class ResultEvictionTests : DiskFixture
{
    private const int BlobBytes = 20_000;

    private DiskBlobStore _store = null!;
    private ChunkLists _lists = null!;
    private DiskActionCache _results = null!;
    private CompletenessCheckingActionCache _cache = null!;
    private ResultEviction? _eviction;
    private Totals _totals = null!;
    private int _fillers;

    [TearDown]
    public async Task CloseAsync()
    {
        if (_eviction is not null) await _eviction.DisposeAsync();
        _results.Dispose();
        _lists.Dispose();
        await _store.DisposeAsync();
    }

    [Test]
    public async Task Of_two_results_that_share_a_blob_the_expired_one_goes_as_a_whole_and_the_live_one_stays_whole()
    {
        await OpenAsync(blobs: 6);
        var (a, b, shared, other) = (await PutAsync(1), await PutAsync(2), await PutAsync(3), await PutAsync(4));
        var (tree, inTree) = await PutTreeAsync(5);
        var expired = ResultOf([a, b, shared], tree);
        var live = ResultOf([other, shared]);
        await StoreAsync(1, expired);
        await StoreAsync(2, live);
        Time.Advance(Retention + TimeSpan.FromSeconds(1));
        Assert.That(await _cache.GetAsync(Key(2), default), Is.EqualTo(live));

        await PressAsync(blobs: 2);

        Assert.That(new[] { a, b, inTree, tree }.Where(IsHere), Is.Empty, "its own blobs");
        Assert.That(new[] { shared, other }.Where(IsHere), Has.Exactly(2).Items);
        Assert.That(await _cache.GetAsync(Key(1), default), Is.Null);
        Assert.That(await _cache.GetAsync(Key(2), default), Is.EqualTo(live));
        Assert.That(_results.Entries, Is.EqualTo(1));
        Assert.That(_totals.WithResults, Is.GreaterThanOrEqualTo(BlobBytes).And.LessThan(_totals.Evicted));
        Assert.That(_store.Usage.EvictedBytes, Is.EqualTo(_totals.Evicted));
        await AssertConsistentAsync(_store);
    }

    [Test]
    public async Task A_victim_that_belongs_to_no_result_takes_nothing_with_it()
    {
        await OpenAsync(blobs: 3);
        var plain = await PutAsync(1);
        var (a, b) = (await PutAsync(2), await PutAsync(3));
        var result = ResultOf([a, b]);
        await StoreAsync(1, result);
        Time.Advance(Retention + TimeSpan.FromSeconds(1));

        await PressAsync(blobs: 1);

        Assert.That(new[] { plain, a, b }.Where(IsHere), Is.EqualTo(new[] { a, b }));
        Assert.That(await _cache.GetAsync(Key(1), default), Is.EqualTo(result));
        Assert.That(_totals.WithResults, Is.Zero);

        // And it is looked at again when its time has come: the hit was later than what it was looked at for.
        Time.Advance(Retention + TimeSpan.FromSeconds(1));
        await PressAsync(blobs: 2);
        Assert.That(new[] { a, b }.Where(IsHere), Is.Empty);
        Assert.That(_results.Entries, Is.Zero);
    }

    [Test]
    public async Task What_was_promised_since_stays_when_its_result_goes()
    {
        await OpenAsync(blobs: 4);
        var (a, asked, b) = (await PutAsync(1), await PutAsync(2), await PutAsync(3));
        await StoreAsync(1, ResultOf([a, asked, b]));
        Time.Advance(Retention + TimeSpan.FromSeconds(1));
        await _store.FindMissingAsync([asked], default);

        await PressAsync(blobs: 2);

        Assert.That(new[] { a, asked, b }.Where(IsHere), Is.EqualTo(new[] { asked }));
        Assert.That(_results.Entries, Is.Zero);
    }

    [Test]
    public async Task After_a_restart_what_was_left_of_a_result_goes_and_what_lives_stays([Values] bool isClosed)
    {
        await OpenAsync(blobs: 6);
        var (a, b, c, d) = (await PutAsync(1), await PutAsync(2), await PutAsync(3), await PutAsync(4));
        await StoreAsync(1, ResultOf([a, b, c]));
        var live = ResultOf([d]);
        await StoreAsync(2, live);
        Time.Advance(Retention + TimeSpan.FromHours(1));
        Assert.That(await _cache.GetAsync(Key(2), default), Is.EqualTo(live));
        await _eviction!.DisposeAsync(); // nobody sees to it any more
        await PressAsync(blobs: 3);
        Assert.That(new[] { a, b, c }.Where(IsHere), Is.EqualTo(new[] { b, c }));

        await ReopenAsync(blobs: 6, isClosed);
        Assert.That(_results.Entries, Is.EqualTo(2));
        await PressAsync(blobs: 1);

        Assert.That(new[] { a, b, c }.Where(IsHere), Is.Empty);
        Assert.That(await _cache.GetAsync(Key(2), default), Is.EqualTo(live));
        Assert.That(_results.Entries, Is.EqualTo(1));
    }

    [Test]
    public async Task A_result_that_is_stored_again_is_a_hit_again()
    {
        await OpenAsync(blobs: 3);
        var result = ResultOf([await PutAsync(1), await PutAsync(2), await PutAsync(3)]);
        await StoreAsync(1, result);
        Time.Advance(Retention + TimeSpan.FromSeconds(1));
        await PressAsync(blobs: 1);
        Assert.That(_results.Entries, Is.Zero);
        Time.Advance(Retention + TimeSpan.FromSeconds(1));

        await PutAsync(1);
        await PutAsync(2);
        await PutAsync(3);
        await StoreAsync(1, result);
        await _eviction!.IdleAsync();

        Assert.That(await _cache.GetAsync(Key(1), default), Is.EqualTo(result));
    }

    [Test]
    public async Task A_record_is_not_dropped_that_was_stored_anew_since_it_was_looked_at()
    {
        await OpenAsync(blobs: 3);
        var (first, second) = (ResultOf([await PutAsync(1)]), ResultOf([await PutAsync(2)]));
        await _results.PutAsync(Key(1), first, default);
        var due = _results.TakeDue(long.MaxValue)!.Value;
        Assert.That(_results.Peek(due), Is.EqualTo(first));
        await _results.PutAsync(Key(1), second, default);

        Assert.That(_results.Peek(due), Is.Null);
        Assert.That(_results.TryDrop(due), Is.False);
        Assert.That(await _results.GetAsync(Key(1), default), Is.EqualTo(second));
    }

    [Test]
    public async Task A_result_whose_output_is_stored_as_chunks_is_whole_as_long_as_they_are()
    {
        await OpenAsync(blobs: 4);
        var plain = await PutAsync(1);
        byte[][] parts = [Blobs.Of(2, BlobBytes), Blobs.Of(3, BlobBytes), Blobs.Of(4, BlobBytes)];
        var chunks = new List<Digest>();
        foreach (byte[] part in parts) chunks.Add(await _store.PutAsync(part));
        var output = Blobs.DigestOf([.. parts.SelectMany(part => part)]);
        _lists.Add(output, new ChunkList(ChunkingAlgorithm.FastCdc2020, chunks));
        await _results.PutAsync(Key(1), ResultOf([output]), default);
        Time.Advance(Retention + TimeSpan.FromSeconds(1));

        await PressAsync(blobs: 1);
        Assert.That(IsHere(plain), Is.False);
        Assert.That(chunks.Where(IsHere), Is.EqualTo(chunks));
        Assert.That(_results.Entries, Is.EqualTo(1));

        await PressAsync(blobs: 1);
        Assert.That(chunks.Where(IsHere), Is.Empty);
        Assert.That(_results.Entries, Is.Zero);
    }

    [Test]
    public async Task A_result_without_outputs_is_left_alone()
    {
        await OpenAsync(blobs: 2);
        await PutAsync(1);
        await PutAsync(2);
        await _results.PutAsync(Key(1), new ActionResult { StdoutRaw = ByteString.CopyFromUtf8("done") }, default);
        Time.Advance(Retention + TimeSpan.FromSeconds(1));

        await PressAsync(blobs: 2);

        Assert.That(await _cache.GetAsync(Key(1), default), Is.Not.Null);
    }

    [TestCase(DigestFunction.Blake3)]
    [TestCase(DigestFunction.Sha1)]
    [TestCase(DigestFunction.Sha512)]
    public async Task Results_of_each_hash_function_go_as_a_whole(DigestFunction function)
    {
        await OpenAsync(blobs: 3);
        var digests = new List<Digest>();
        for (int seed = 1; seed <= 3; seed++) digests.Add(await _store.WriteAllAsync(function, Blobs.Of(seed, BlobBytes), default));
        var key = new ActionCacheKey(default, Digest.Of(function, [1]));
        await _results.PutAsync(key, ResultOf(digests), default);
        Assert.That(await _cache.GetAsync(key, default), Is.Not.Null);
        Time.Advance(Retention + TimeSpan.FromSeconds(1));

        await PressAsync(blobs: 1);

        Assert.That(digests.Where(IsHere), Is.Empty);
        Assert.That(_results.Entries, Is.Zero);
    }

    private static ActionCacheKey Key(int seed) => new(default, Digest.Of(DigestFunction.Sha256, BitConverter.GetBytes(seed)));

    private static ActionResult ResultOf(IReadOnlyList<Digest> files, params Digest[] trees) => new()
    {
        OutputFiles = { files.Select((digest, i) => new OutputFile { Path = $"{i}", Digest = digest.ToWire() }) },
        OutputDirectories = { trees.Select((digest, i) => new OutputDirectory { Path = $"d{i}", TreeDigest = digest.ToWire() }) },
    };

    private Task<Digest> PutAsync(int seed) => _store.PutAsync(Blobs.Of(seed, BlobBytes));

    private async Task<(Digest Tree, Digest File)> PutTreeAsync(int seed)
    {
        var file = await PutAsync(seed);
        var tree = new Tree { Root = new Directory { Files = { new FileNode { Name = "f", Digest = file.ToWire() } } } };
        return (await _store.PutAsync(tree.ToByteArray()), file);
    }

    /// <summary>As who stores a result does it: all of it is promised at once.</summary>
    private async Task StoreAsync(int key, ActionResult result)
    {
        await _results.PutAsync(Key(key), result, default);
        Assert.That(await _cache.GetAsync(Key(key), default), Is.EqualTo(result));
    }

    private bool IsHere(Digest digest) => _store.UnusedFor(digest) is not null;

    /// <summary>Stores as many blobs that nobody has seen, and waits for what becomes of it.</summary>
    private async Task PressAsync(int blobs)
    {
        for (int i = 0; i < blobs; i++) await PutAsync(1000 + _fillers++);
        if (_eviction is not null) await _eviction.IdleAsync();
    }

    private async Task OpenAsync(int blobs)
    {
        _totals = new Totals();
        _store = await OpenAsync((blobs * BlobBytes) + 1000, observer: _totals);
        _lists = ChunkLists.Open(new ChunkListsOptions(), Time);
        _results = DiskActionCache.Open(new DiskActionCacheOptions { Directory = Scratch.Sub("ac") }, Time);
        _cache = new CompletenessCheckingActionCache(_results, _store);
        _eviction = new ResultEviction(_results, _store, _lists);
    }

    private async Task ReopenAsync(int blobs, bool isClosed)
    {
        _results.Dispose();
        _lists.Dispose();
        string uses = Path.Combine(StoreDirectory, "uses"), killed = Scratch.Sub("killed");
        if (!isClosed) File.Copy(uses, killed);
        await _store.DisposeAsync();
        if (!isClosed) File.Move(killed, uses, overwrite: true); // the end is not in it
        await OpenAsync(blobs);
    }

    private sealed class Totals : IBlobStoreObserver
    {
        private long _evicted;
        private long _withResults;

        public long Evicted => Interlocked.Read(ref _evicted);

        public long WithResults => Interlocked.Read(ref _withResults);

        void IBlobStoreObserver.Evicted(long bytes) => Interlocked.Add(ref _evicted, bytes);

        void IBlobStoreObserver.EvictedWithResults(long bytes) => Interlocked.Add(ref _withResults, bytes);
    }
}
