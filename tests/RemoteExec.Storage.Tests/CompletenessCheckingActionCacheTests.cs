using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using NUnit.Framework;
using RemoteExec.Protocol;
using Directory = Build.Bazel.Remote.Execution.V2.Directory;

namespace RemoteExec.Storage.Tests;

public sealed class CompletenessCheckingActionCacheTests : ActionCacheContract
{
    private static readonly TimeSpan Retention = TimeSpan.FromHours(4);

    private ManualTime _time = null!;
    private CountingStore _store = null!;

    [Test]
    public async Task A_result_is_a_hit_only_while_each_single_blob_of_it_is_there()
    {
        var (result, blobs) = await WriteResultAsync();
        await Cache.PutAsync(Key("", 1), result, default);
        Assert.That(await Cache.GetAsync(Key("", 1), default), Is.EqualTo(result));

        foreach (var missing in blobs)
        {
            _store.Hidden = missing;
            Assert.That(await Cache.GetAsync(Key("", 1), default), Is.Null, missing.ToString());
        }

        _store.Hidden = null;
        Assert.That(await Cache.GetAsync(Key("", 1), default), Is.EqualTo(result));
    }

    [Test]
    public async Task A_hit_asks_once_for_everything_and_parses_a_tree_once()
    {
        var (result, blobs) = await WriteResultAsync();
        await Cache.PutAsync(Key("", 1), result, default);
        await Cache.GetAsync(Key("", 1), default);
        int reads = _store.Reads;
        _store.Batches.Clear();

        await Cache.GetAsync(Key("", 1), default);

        Assert.That(_store.Batches, Has.Count.EqualTo(1));
        Assert.That(_store.Batches[0], Is.EquivalentTo(blobs));
        Assert.That(_store.Batches[0][^1], Is.EqualTo(blobs[^1]), "the tree last, and so evicted last: it tells what else goes with it");
        Assert.That(_store.Reads, Is.EqualTo(reads));
    }

    [Test]
    public async Task A_hit_extends_the_lifetime_of_its_whole_closure()
    {
        var (result, blobs) = await WriteResultAsync();
        await Cache.PutAsync(Key("", 1), result, default);
        _time.Advance(Retention - TimeSpan.FromSeconds(1));
        await Cache.GetAsync(Key("", 1), default);
        _time.Advance(Retention - TimeSpan.FromSeconds(1));

        // Fills the store as far as it lets us: whatever is promised must survive that.
        for (int i = 0; i < 200; i++)
        {
            try
            {
                await _store.PutAsync(Blobs.Of(1000 + i, 1 << 16));
            }
            catch (Grpc.Core.RpcException)
            {
                break;
            }
        }

        Assert.That(await _store.FindMissingAsync([.. blobs], default), Is.Empty);
    }

    [Test]
    public async Task A_hit_in_a_store_that_is_half_promised_is_good_for_three_hours_and_shortens_no_promise()
    {
        var store = new MemoryBlobStore(limitBytes: 10_000, TimeSpan.FromHours(6), _time);
        var cache = new CompletenessCheckingActionCache(new MemoryActionCache(1 << 20), store);
        byte[] old = Blobs.Of(1, 3000), young = Blobs.Of(2, 3000), other = Blobs.Of(3, 3000);
        await store.PutAsync(old);
        await cache.PutAsync(Key("", 1), ResultOf(Blobs.DigestOf(old), Blobs.DigestOf(young)), default);
        _time.Advance(TimeSpan.FromHours(6));
        await store.PutAsync(young);
        Assert.That((store.Usage.Retention, store.Usage.HitRetention), Is.EqualTo((TimeSpan.FromHours(6), TimeSpan.FromHours(6))));
        await store.PutAsync(other);
        Assert.That((store.Usage.Retention, store.Usage.HitRetention), Is.EqualTo((TimeSpan.FromHours(6), TimeSpan.FromHours(3))));

        Assert.That(await cache.GetAsync(Key("", 1), default), Is.Not.Null);

        _time.Advance(TimeSpan.FromHours(3) - TimeSpan.FromMilliseconds(1));
        Assert.ThrowsAsync<Grpc.Core.RpcException>(async () => await store.PutAsync(Blobs.Of(4, 3000)));
        _time.Advance(TimeSpan.FromMilliseconds(1));
        await store.PutAsync(Blobs.Of(4, 3000));
        _time.Advance(TimeSpan.FromHours(3) - TimeSpan.FromMilliseconds(1));
        Assert.ThrowsAsync<Grpc.Core.RpcException>(async () => await store.PutAsync(Blobs.Of(5, 3000)), "what was uploaded keeps its six hours");

        static ActionResult ResultOf(params Digest[] digests) => new()
        {
            OutputFiles = { digests.Select((digest, i) => new OutputFile { Path = $"{i}", Digest = digest.ToWire() }) },
        };
    }

    [TestCase("not a tree")]
    [TestCase("")]
    public async Task A_tree_that_is_none_is_a_miss(string content)
    {
        var tree = await _store.WriteAllAsync(DigestFunction.Sha256, System.Text.Encoding.UTF8.GetBytes(content), default);
        var wire = tree.ToWire();
        if (content.Length == 0) wire.SizeBytes = 1;
        await Cache.PutAsync(Key("", 1), new ActionResult { OutputDirectories = { new OutputDirectory { Path = "d", TreeDigest = wire } } }, default);

        Assert.That(await Cache.GetAsync(Key("", 1), default), Is.Null);
    }

    [Test]
    public async Task Directories_without_a_tree_are_walked_once_each()
    {
        var leaf = await _store.PutAsync(Blobs.Of(1, 10));
        var digest = await PutAsync(new Directory { Files = { new FileNode { Name = "f", Digest = leaf.ToWire() } } });
        var expected = new List<Digest> { leaf, digest };
        for (int depth = 0; depth < 15; depth++)
        {
            // Two names for the same child on each level: 2^15 paths, 15 directories. (2^40 are no result: ExplodingTreeTests.)
            digest = await PutAsync(new Directory
            {
                Directories = { new DirectoryNode { Name = "a", Digest = digest.ToWire() }, new DirectoryNode { Name = "b", Digest = digest.ToWire() } },
            });
            expected.Add(digest);
        }

        var result = new ActionResult { OutputDirectories = { new OutputDirectory { Path = "d", RootDirectoryDigest = digest.ToWire() } } };
        await Cache.PutAsync(Key("", 1), result, default);

        Assert.That(await Cache.GetAsync(Key("", 1), default), Is.Not.Null);
        Assert.That(_store.Batches.Last(), Is.EquivalentTo(expected));
    }

    [Test]
    public async Task A_tree_that_lacks_a_directory_is_a_hit_only_while_the_store_has_that_one_and_all_below_it()
    {
        var file = await _store.PutAsync(Blobs.Of(1, 100));
        var child = await PutAsync(new Directory { Files = { new FileNode { Name = "f", Digest = file.ToWire() } } });
        var tree = await PutAsync(new Tree { Root = new Directory { Directories = { new DirectoryNode { Name = "d", Digest = child.ToWire() } } } });
        var result = new ActionResult { OutputDirectories = { new OutputDirectory { Path = "d", TreeDigest = tree.ToWire() } } };
        await Cache.PutAsync(Key("", 1), result, default);
        Assert.That(await Cache.GetAsync(Key("", 1), default), Is.EqualTo(result));
        Assert.That(_store.Batches.Last(), Is.EquivalentTo(new[] { tree, child, file }));

        _store.Hidden = file;
        Assert.That(await Cache.GetAsync(Key("", 1), default), Is.Null);
        _store.Hidden = child;
        Assert.That(await Cache.GetAsync(Key("", 1), default), Is.Null);

        var lost = new Directory { Files = { new FileNode { Name = "g", Digest = file.ToWire() } } };
        var lame = await PutAsync(new Tree { Root = new Directory { Directories = { new DirectoryNode { Name = "d", Digest = Blobs.DigestOf(lost.ToByteArray()).ToWire() } } } });
        _store.Hidden = null;
        await Cache.PutAsync(Key("", 2), new ActionResult { OutputDirectories = { new OutputDirectory { Path = "d", TreeDigest = lame.ToWire() } } }, default);
        Assert.That(await Cache.GetAsync(Key("", 2), default), Is.Null);
        await PutAsync(lost);
        Assert.That(await Cache.GetAsync(Key("", 2), default), Is.Not.Null);
    }

    [Test]
    public async Task The_same_bytes_as_a_tree_and_as_a_directory_are_looked_into_each_in_its_way()
    {
        // As a Tree: a root without anything. As a Directory: a file with an empty name, which is none.
        var both = await _store.PutAsync([0x0a, 0x00]);
        await Cache.PutAsync(Key("", 1), new ActionResult { OutputDirectories = { new OutputDirectory { Path = "d", TreeDigest = both.ToWire() } } }, default);
        await Cache.PutAsync(Key("", 2), new ActionResult { OutputDirectories = { new OutputDirectory { Path = "d", RootDirectoryDigest = both.ToWire() } } }, default);

        Assert.That(await Cache.GetAsync(Key("", 1), default), Is.Not.Null);
        Assert.That(await Cache.GetAsync(Key("", 2), default), Is.Null);
    }

    private protected override IActionCache CreateCache()
    {
        _time = new ManualTime();
        _store = new CountingStore(new MemoryBlobStore(4 << 20, Retention, _time));
        return new CompletenessCheckingActionCache(new MemoryActionCache(1 << 20), _store);
    }

    private async Task<Digest> PutAsync(IMessage message) => await _store.PutAsync(message.ToByteArray());

    private async Task<(ActionResult Result, List<Digest> Blobs)> WriteResultAsync()
    {
        var file = await _store.PutAsync(Blobs.Of(1, 100));
        var inRoot = await _store.PutAsync(Blobs.Of(2, 100));
        var inChild = await _store.PutAsync(Blobs.Of(3, 100));
        var stdout = await _store.PutAsync(Blobs.Of(4, 100));
        var stderr = await _store.PutAsync(Blobs.Of(5, 100));
        var child = new Directory { Files = { new FileNode { Name = "c", Digest = inChild.ToWire() } } };
        var tree = await PutAsync(new Tree
        {
            Root = new Directory
            {
                Files = { new FileNode { Name = "r", Digest = inRoot.ToWire() } },
                Directories = { new DirectoryNode { Name = "d", Digest = Blobs.DigestOf(child.ToByteArray()).ToWire() } },
            },
            Children = { child },
        });
        var result = new ActionResult
        {
            OutputFiles = { new OutputFile { Path = "f", Digest = file.ToWire() } },
            OutputDirectories = { new OutputDirectory { Path = "d", TreeDigest = tree.ToWire() } },
            StdoutDigest = stdout.ToWire(),
            StderrDigest = stderr.ToWire(),
        };
        return (result, [file, inRoot, inChild, stdout, stderr, tree]);
    }

    private sealed class CountingStore(IBlobStore inner) : IBlobStore
    {
        public Digest? Hidden { get; set; }

        public int Reads { get; private set; }

        public List<IReadOnlyList<Digest>> Batches { get; } = [];

        public async ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken)
        {
            Batches.Add(digests);
            var missing = await inner.FindMissingAsync(digests, cancellationToken);
            return Hidden is { } hidden && digests.Contains(hidden) ? [hidden, .. missing] : missing;
        }

        public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken)
        {
            Reads++;
            return inner.OpenReadAsync(digest, offset, cancellationToken);
        }

        public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
            inner.CreateWriterAsync(digest, cancellationToken);
    }
}
