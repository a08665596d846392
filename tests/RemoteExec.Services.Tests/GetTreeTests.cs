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
    public async Task A_bomb_of_shared_directories_costs_one_read_each()
    {
        var directory = Leaf("f");
        for (int i = 0; i < 64; i++)
        {
            await StoreAsync(directory);
            directory = Parent(("a", directory), ("b", directory));
        }

        Assert.That((await AskAsync(await StoreAsync(directory))).Sum(page => page.Directories.Count), Is.EqualTo(65));
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
