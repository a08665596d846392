using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;

namespace RemoteExec.Services.Tests.Protocol;

/// <summary>The ways through a tree, over Directories in a dictionary.</summary>
internal sealed class DirectoryWalkTests
{
    private readonly Dictionary<Digest, WireDirectory> _stored = [];
    private readonly List<Digest> _reads = [];

    [SetUp]
    public void Clear()
    {
        _stored.Clear();
        _reads.Clear();
    }

    [Test]
    public async Task Distinct_directories_come_once_breadth_first_in_the_order_of_their_names()
    {
        var leaf = Put(Files("f"));
        var left = Put(Parent(("x", leaf)));
        var right = Put(Parent(("y", leaf), ("z", Digest.Empty(DigestFunction.Sha256))));
        var root = Put(Parent(("a", left), ("b", right), ("c", left)));

        Assert.That(await DistinctAsync(root), Is.EqualTo(new[] { root, left, right, leaf, Digest.Empty(DigestFunction.Sha256) }));
        Assert.That(_reads, Is.Unique);
    }

    [Test] // REAPI E2
    public async Task An_absent_directory_is_told_and_the_walk_goes_on()
    {
        var absent = DigestOf(Files("absent"));
        var leaf = Put(Files("f"));
        var root = Put(Parent(("a", absent), ("b", leaf)));

        var found = new List<FoundDirectory>();
        await foreach (var directory in Walk().DistinctAsync(root, isKnown: null, default)) found.Add(directory);

        Assert.That(found.Select(directory => (directory.Digest, directory.Message is null)), Is.EqualTo(new[] { (root, false), (absent, true), (leaf, false) }));
    }

    [Test]
    public async Task What_is_known_is_not_read()
    {
        var known = Put(Parent(("x", Put(Files("f")))));
        var root = Put(Parent(("a", known)));

        Assert.That(await DistinctAsync(root, digest => digest == known), Is.EqualTo(new[] { root }));
    }

    [Test]
    public async Task Every_path_comes_with_its_parents_before_it()
    {
        var leaf = Put(Files("f"));
        var root = Put(Parent(("a", Put(Parent(("x", leaf), ("y", leaf)))), ("b", leaf), ("c", DigestOf(Files("absent")))));

        var paths = new List<string>();
        await foreach (var place in Walk().ExpandAsync(root, default)) paths.Add(place.Message is null ? place.Path + "?" : place.Path);

        Assert.That(paths, Is.EqualTo(new[] { "", "a", "a/x", "a/y", "b", "c?" }));
    }

    [Test]
    public void Many_and_large_and_deep_directories_are_refused_with_the_limit()
    {
        var chain = Put(Files("f"));
        for (int i = 0; i < 9; i++) chain = Put(Parent(("d", chain)));
        var wide = Put(Parent([.. Enumerable.Range(10, 20).Select(i => ($"{i}", Put(Files($"f{i}"))))]));

        AssertTooBig(chain, new TreeLimits { DepthMax = 9 }, "9 directories");
        AssertTooBig(wide, new TreeLimits { DirectoriesMax = 20 }, "20 different");
        AssertTooBig(wide, new TreeLimits { DirectoryBytesMax = 100 }, "100 bytes");
        AssertTooBig(wide, new TreeLimits { DirectoriesBytesMax = wide.SizeBytes + 100 }, $"{wide.SizeBytes + 100} bytes");
        Assert.DoesNotThrowAsync(() => DistinctAsync(chain, limits: new TreeLimits { DepthMax = 10 }));
        Assert.DoesNotThrowAsync(() => DistinctAsync(wide, limits: new TreeLimits { DirectoriesMax = 21 }));
    }

    [Test]
    public void One_failed_read_ends_the_walk_after_all_others_of_its_batch()
    {
        var children = Enumerable.Range(10, 4).Select(i => Put(Files($"f{i}"))).ToArray();
        var root = Put(Parent([.. children.Select((child, i) => ($"{i}", child))]));
        var last = new TaskCompletionSource<WireDirectory?>();
        var walk = new DirectoryWalk(
            (digest, _) => digest == children[0] ? ValueTask.FromException<WireDirectory?>(new RpcException(new Grpc.Core.Status(StatusCode.Unavailable, "away")))
                : digest == children[3] ? new ValueTask<WireDirectory?>(last.Task)
                : ValueTask.FromResult(_stored.GetValueOrDefault(digest)),
            new TreeLimits());

        var walking = DistinctAsync(root, walk: walk);
        Assert.That(walking.IsCompleted, Is.False, "left a read behind");
        last.SetResult(null);

        Assert.That(Assert.ThrowsAsync<RpcException>(() => walking)!.StatusCode, Is.EqualTo(StatusCode.Unavailable));
    }

    [Test]
    public async Task What_a_tree_sums_up_to_is_what_it_expands_to()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        for (int round = 0; round < 200; round++)
        {
            var digests = new List<Digest>();
            for (int i = 0; i < 12; i++) digests.Add(Put(RandomDirectory(random, digests)));

            Assert.That(await SumAsync(digests[^1]), Is.EqualTo(await ExpandedAsync(digests[^1])), $"seed {seed}, round {round}");
        }
    }

    [Test] // TRUST 4.1, H7
    public void Paths_without_end_cost_a_sum_for_each_directory()
    {
        var digest = Put(Files("f"));
        for (int i = 0; i < 64; i++) digest = Put(Parent(("a", digest), ("b", digest)));

        var refusal = Assert.ThrowsAsync<RpcException>(() => SumAsync(digest))!;

        Assert.That((refusal.StatusCode, refusal.Status.Detail), Is.EqualTo((StatusCode.ResourceExhausted, "the tree is too big: it has more than 1000000 entries")));
        Assert.That(_reads, Has.Count.EqualTo(65));
    }

    [Test] // PATH_MAX counts bytes: 17 names of 85 such characters are 1,461 characters and 4,351 bytes
    public void A_path_is_measured_in_bytes()
    {
        var digest = Put(new WireDirectory());
        for (int i = 0; i < 17; i++) digest = Put(Parent((new string('字', 85), digest)));

        var refusal = Assert.ThrowsAsync<RpcException>(() => SumAsync(digest))!;

        Assert.That(refusal.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(refusal.Status.Detail, Does.Contain("3500"));
    }

    [Test]
    public void Exabytes_of_files_are_refused_and_do_not_overflow()
    {
        var huge = Digest.FromHash(DigestFunction.Sha256, new byte[32], long.MaxValue);
        var directory = new WireDirectory();
        for (int i = 0; i < 1000; i++) directory.Files.Add(new FileNode { Name = $"{i:0000}", Digest = huge.ToWire() });

        Assert.That(Assert.ThrowsAsync<RpcException>(() => SumAsync(Put(directory)))!.StatusCode, Is.EqualTo(StatusCode.ResourceExhausted));
    }

    [Test]
    public async Task A_Tree_knows_its_directories_by_the_bytes_that_stand_in_it()
    {
        // Field 100 before the files: no writer of today puts it there, and its digest is what the parent names.
        byte[] child = [0xA2, 0x06, 0x01, 0x07, .. Files("f").ToByteArray()];
        var childDigest = Digest.Of(DigestFunction.Sha256, child);
        byte[] root = Parent(("d", childDigest)).ToByteArray();
        byte[] blob = [0x0a, (byte)root.Length, .. root, 0x12, (byte)child.Length, .. child];

        var tree = TreeMessage.Parse(blob, Digest.Of(DigestFunction.Sha256, blob));

        var walk = new DirectoryWalk((digest, _) => ValueTask.FromResult(tree.Directories.GetValueOrDefault(digest)), new TreeLimits());
        Assert.That(tree.Root, Is.EqualTo(Digest.Of(DigestFunction.Sha256, root)));
        Assert.That(await DistinctAsync(tree.Root, walk: walk), Is.EqualTo(new[] { tree.Root, childDigest }));
        Assert.That(tree.Directories[childDigest].Files.Single().Name, Is.EqualTo("f"));
    }

    [TestCase(new byte[] { 0x0a, 0x05, 0x01 })]
    [TestCase(new byte[] { 0xff, 0xff, 0xff })]
    [TestCase(new byte[] { 0x0a, 0x03, 0xff, 0xff, 0xff })]
    public void Bytes_that_are_no_Tree_are_INVALID_ARGUMENT(byte[] blob) => Assert.That(
        Assert.Throws<RpcException>(() => TreeMessage.Parse(blob, Digest.Of(DigestFunction.Sha256, blob)))!.StatusCode,
        Is.EqualTo(StatusCode.InvalidArgument));

    private static WireDirectory RandomDirectory(Random random, List<Digest> below)
    {
        var directory = new WireDirectory();
        for (int i = random.Next(4); i > 0; i--)
        {
            var content = Digest.FromHash(DigestFunction.Sha256, new byte[32], random.Next(1, 1000));
            directory.Files.Add(new FileNode { Name = new string("fé字"[random.Next(3)], random.Next(1, 20)), Digest = content.ToWire() });
        }

        for (int i = random.Next(3); i > 0; i--) directory.Symlinks.Add(new SymlinkNode { Name = new string('l', random.Next(1, 20)), Target = "t" });
        for (int i = random.Next(4); i > 0 && below.Count > 0; i--)
            directory.Directories.Add(new DirectoryNode { Name = new string('d', random.Next(1, 20)), Digest = below[random.Next(below.Count)].ToWire() });
        return directory;
    }

    private async Task<TreeSummary> ExpandedAsync(Digest root)
    {
        long entries = -1, fileBytes = 0; // the root is no entry
        int depth = 0, pathBytes = 0;
        await foreach (var place in Walk().ExpandAsync(root, default))
        {
            entries += 1 + place.Message!.Files.Count + place.Message.Symlinks.Count;
            depth = Math.Max(depth, place.Path.Length == 0 ? 1 : 2 + place.Path.Count(character => character == '/'));
            fileBytes += place.Message.Files.Sum(file => file.Digest.SizeBytes);
            var names = place.Message.Files.Select(file => file.Name).Concat(place.Message.Symlinks.Select(link => link.Name));
            foreach (string path in names.Select(place.Join).Append(place.Path))
                pathBytes = Math.Max(pathBytes, System.Text.Encoding.UTF8.GetByteCount(path));
        }

        return new TreeSummary(entries, depth, pathBytes, fileBytes);
    }

    private async Task<TreeSummary> SumAsync(Digest root)
    {
        var sums = new TreeSums(new TreeLimits());
        await foreach (var found in Walk().DistinctAsync(root, isKnown: null, default)) sums.Add(found);
        return sums.Sum(root);
    }

    private async Task<List<Digest>> DistinctAsync(
        Digest root, Func<Digest, bool>? isKnown = null, TreeLimits? limits = null, DirectoryWalk? walk = null)
    {
        var digests = new List<Digest>();
        await foreach (var found in (walk ?? Walk(limits)).DistinctAsync(root, isKnown, default)) digests.Add(found.Digest);
        return digests;
    }

    private void AssertTooBig(Digest root, TreeLimits limits, string words)
    {
        var refusal = Assert.ThrowsAsync<RpcException>(() => DistinctAsync(root, limits: limits))!;
        Assert.That(refusal.StatusCode, Is.EqualTo(StatusCode.ResourceExhausted));
        Assert.That(refusal.Status.Detail, Does.Contain(words));
    }

    private DirectoryWalk Walk(TreeLimits? limits = null) => new(
        (digest, _) =>
        {
            _reads.Add(digest);
            return ValueTask.FromResult(digest.IsEmpty ? new WireDirectory() : _stored.GetValueOrDefault(digest));
        },
        limits ?? new TreeLimits());

    private Digest Put(WireDirectory directory)
    {
        var digest = DigestOf(directory);
        _stored[digest] = directory;
        return digest;
    }

    private static Digest DigestOf(WireDirectory directory) => Digest.Of(DigestFunction.Sha256, directory.ToByteArray());

    private static WireDirectory Files(params string[] names)
    {
        var directory = new WireDirectory();
        foreach (string name in names) directory.Files.Add(new FileNode { Name = name, Digest = Digest.Of(DigestFunction.Sha256, "x"u8).ToWire() });
        return directory;
    }

    private static WireDirectory Parent(params (string Name, Digest Child)[] children)
    {
        var directory = new WireDirectory();
        foreach (var (name, child) in children) directory.Directories.Add(new DirectoryNode { Name = name, Digest = child.ToWire() });
        return directory;
    }
}
