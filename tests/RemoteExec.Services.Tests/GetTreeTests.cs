using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;

namespace RemoteExec.Services.Tests;

internal sealed class GetTreeTests : ServicesFixture
{
    private async Task<List<GetTreeResponse>> AskAsync(Digest root, int pageSize = 0, string token = "")
    {
        var pages = new List<GetTreeResponse>();
        using var call = Cas.GetTree(new GetTreeRequest { RootDigest = root.ToWire(), PageSize = pageSize, PageToken = token });
        while (await call.ResponseStream.MoveNext(Soon)) pages.Add(call.ResponseStream.Current);
        return pages;
    }

    private static WireDirectory Leaf(string file) =>
        new() { Files = { new FileNode { Name = file, Digest = DigestOf(file).ToWire() } } };

    private static WireDirectory Parent(params (string Name, WireDirectory Child)[] children)
    {
        var directory = new WireDirectory();
        foreach (var (name, child) in children)
            directory.Directories.Add(new DirectoryNode { Name = name, Digest = DigestOf(child).ToWire() });
        return directory;
    }

    [Test] // REAPI C5
    public async Task Each_distinct_directory_comes_once_the_root_first()
    {
        WireDirectory leaf = Leaf("f"), root = Parent(("a", leaf), ("b", leaf));
        await StoreAsync(leaf);
        await StoreAsync(root);

        var pages = await AskAsync(DigestOf(root));

        Assert.That(pages.Single().Directories, Is.EqualTo(new[] { root, leaf }));
        Assert.That(pages.Single().NextPageToken, Is.Empty);
    }

    [Test] // REAPI C5
    public async Task An_absent_root_is_NOT_FOUND_and_an_absent_child_is_left_out()
    {
        WireDirectory leaf = Leaf("f"), root = Parent(("a", leaf), ("b", Leaf("absent")));
        await StoreAsync(leaf);

        Assert.That(await CodeOf(() => AskAsync(DigestOf(root))), Is.EqualTo(StatusCode.NotFound));
        await StoreAsync(root);
        Assert.That((await AskAsync(DigestOf(root))).Single().Directories, Is.EqualTo(new[] { root, leaf }));
    }

    [Test] // REAPI C5
    public async Task A_token_continues_the_walk_where_its_page_ended()
    {
        var leaves = Enumerable.Range(0, 5).Select(number => Leaf($"f{number}")).ToArray();
        var root = Parent([.. leaves.Select((leaf, i) => ($"d{i}", leaf))]);
        foreach (var leaf in leaves) await StoreAsync(leaf);
        await StoreAsync(root);

        var pages = await AskAsync(DigestOf(root), pageSize: 2);
        Assert.That(pages.Select(page => page.Directories.Count), Is.EqualTo(new[] { 2, 2, 2 }));
        var rest = await AskAsync(DigestOf(root), pageSize: 2, pages[0].NextPageToken);

        Assert.That(rest.SelectMany(page => page.Directories), Is.EqualTo(pages.Skip(1).SelectMany(page => page.Directories)));
        Assert.That(pages[^1].NextPageToken, Is.Empty);
    }

    [Test] // REAPI C5
    public async Task A_negative_page_size_or_a_foreign_token_is_INVALID_ARGUMENT()
    {
        var root = await StoreAsync(Leaf("f"));

        Assert.That(await CodeOf(() => AskAsync(root, pageSize: -1)), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await CodeOf(() => AskAsync(root, token: "nonsense")), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await CodeOf(() => AskAsync(root, token: DigestOf("elsewhere").ToString())), Is.EqualTo(StatusCode.InvalidArgument));
    }

    [Test]
    public async Task F01_pages_end_before_a_usual_client_would_refuse_them()
    {
        var leaves = Enumerable.Range(0, 12).Select(number => Leaf(new string((char)('a' + number), 250))).ToArray();
        foreach (var leaf in leaves)
            for (int i = 0; i < 2_500; i++) leaf.Files.Add(new FileNode { Name = $"z{new string('x', 100)}{i:0000}", Digest = DigestOf("x").ToWire() });
        var root = Parent([.. leaves.Select((leaf, i) => ($"{(char)('a' + i)}", leaf))]);
        foreach (var leaf in leaves) await StoreAsync(leaf);

        var pages = await AskAsync(await StoreAsync(root));

        Assert.That(pages.Select(page => page.CalculateSize()), Is.All.LessThanOrEqualTo(4 << 20));
        Assert.That(pages.SelectMany(page => page.Directories), Is.EqualTo(leaves.Prepend(root)));
        Assert.That(pages, Has.Count.GreaterThan(1));
    }

    [Test] // TRUST 4.1: 2^64 paths with 64 nodes
    public async Task Directories_that_are_shared_come_once_until_they_are_a_bomb()
    {
        var directory = Leaf("f");
        for (int i = 0; i < 64; i++)
        {
            await StoreAsync(directory);
            if (i == 10) Assert.That((await AskAsync(DigestOf(directory))).Sum(page => page.Directories.Count), Is.EqualTo(11));
            directory = Parent(("a", directory), ("b", directory));
        }

        var root = await StoreAsync(directory);
        Assert.That(await CodeOf(() => AskAsync(root)), Is.EqualTo(StatusCode.ResourceExhausted));
        Assert.That(await CodeOf(() => AskAsync(root, pageSize: 5)), Is.EqualTo(StatusCode.ResourceExhausted), "also behind pages that were full");
    }

    [Test] // REAPI C5
    public async Task A_large_tree_is_listed_whole_and_from_any_token_on()
    {
        var leaves = Enumerable.Range(0, 2_500).Select(number => Leaf($"f{number:0000}")).ToArray();
        foreach (var leaf in leaves) await StoreAsync(leaf);
        var root = await StoreAsync(Parent([.. leaves.Select((leaf, i) => ($"d{i:0000}", leaf))]));

        var pages = await AskAsync(root);
        var rest = await AskAsync(root, token: pages[1].NextPageToken);

        Assert.That(pages.Sum(page => page.Directories.Count), Is.EqualTo(2_501));
        Assert.That(rest.SelectMany(page => page.Directories), Is.EqualTo(pages.Skip(2).SelectMany(page => page.Directories)));
    }

    [Test] // REAPI D2
    public async Task The_empty_directory_is_a_tree()
    {
        var pages = await AskAsync(Digest.Empty(DigestFunction.Sha256));

        Assert.That(pages.Single().Directories.Single(), Is.EqualTo(new WireDirectory()));
    }

    [Test]
    public async Task A_blob_that_is_no_directory_is_INVALID_ARGUMENT() =>
        Assert.That(await CodeOf(async () => await AskAsync(await StoreAsync("\u0001 no protobuf"))), Is.EqualTo(StatusCode.InvalidArgument));
}
