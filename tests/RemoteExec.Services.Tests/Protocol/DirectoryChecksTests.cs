using Build.Bazel.Remote.Execution.V2;
using NUnit.Framework;
using RemoteExec.Protocol;

namespace RemoteExec.Services.Tests.Protocol;

/// <summary>The canonical form of a Directory (REAPI X12, TRUST 4.1).</summary>
internal sealed class DirectoryChecksTests
{
    private static readonly WireDigest Some = Digest.Of(DigestFunction.Sha256, "x"u8).ToWire();

    private static string? Check(WireDirectory directory, bool allowAbsolute = false) =>
        DirectoryChecks.Check(directory, DigestFunction.Sha256, allowAbsolute);

    private static FileNode File(string name) => new() { Name = name, Digest = Some };

    private static DirectoryNode Child(string name) => new() { Name = name, Digest = Some };

    private static SymlinkNode Link(string name, string target = "t") => new() { Name = name, Target = target };

    private static WireDirectory Files(params string[] names) => new() { Files = { names.Select(File) } };

    [Test]
    public void A_sorted_directory_of_all_kinds_passes()
    {
        var directory = new WireDirectory
        {
            Files = { File("a"), File("c\n\u0001"), File("z") },
            Directories = { Child("b"), Child("y") },
            Symlinks = { Link("d", "../../up"), Link("e", "x") },
        };

        Assert.That(Check(directory), Is.Null);
    }

    [TestCase("")]
    [TestCase(".")]
    [TestCase("..")]
    [TestCase("a/b")]
    [TestCase("/")]
    [TestCase("a\0")]
    public void A_name_that_is_no_segment_is_refused(string name)
    {
        Assert.That(Check(Files(name)), Is.Not.Null);
        Assert.That(Check(new WireDirectory { Directories = { Child(name) } }), Is.Not.Null);
        Assert.That(Check(new WireDirectory { Symlinks = { Link(name) } }), Is.Not.Null);
    }

    [TestCase(255, true)]
    [TestCase(256, false)]
    public void A_name_has_at_most_255_bytes(int bytes, bool isFine) =>
        Assert.That(Check(Files(new string('é', bytes / 2) + (bytes % 2 == 1 ? "x" : ""))) is null, Is.EqualTo(isFine));

    [Test]
    public void Unsorted_lists_and_twins_are_refused()
    {
        Assert.That(Check(Files("b", "a")), Is.Not.Null);
        Assert.That(Check(Files("a", "a")), Is.Not.Null);
        Assert.That(Check(new WireDirectory { Directories = { Child("b"), Child("a") } }), Is.Not.Null);
        Assert.That(Check(new WireDirectory { Symlinks = { Link("b"), Link("a") } }), Is.Not.Null);
    }

    [Test]
    public void A_name_in_two_lists_is_refused()
    {
        Assert.That(Check(new WireDirectory { Files = { File("a"), File("m") }, Directories = { Child("b"), Child("m") } }), Is.Not.Null);
        Assert.That(Check(new WireDirectory { Files = { File("m") }, Symlinks = { Link("a"), Link("m") } }), Is.Not.Null);
        Assert.That(Check(new WireDirectory { Directories = { Child("m") }, Symlinks = { Link("m") } }), Is.Not.Null);
    }

    [Test] // UTF-16 sorts surrogates below U+E000...U+FFFF, UTF-8 above
    public void Order_is_that_of_the_bytes()
    {
        Assert.That(Check(Files("\uFF5E", "😀")), Is.Null);
        Assert.That(Check(Files("😀", "\uFF5E")), Is.Not.Null);
        Assert.That(Check(Files("a", "aa", "b")), Is.Null);
    }

    [Test] // REAPI E3, X9
    public void Absolute_links_follow_the_announced_strategy()
    {
        var directory = new WireDirectory { Symlinks = { Link("l", "/usr") } };

        Assert.That(Check(directory), Is.Not.Null);
        Assert.That(Check(directory, allowAbsolute: true), Is.Null);
    }

    [TestCase("")]
    [TestCase("a\0b")]
    public void A_link_needs_a_target_that_can_be_made(string target) =>
        Assert.That(Check(new WireDirectory { Symlinks = { Link("l", target) } }), Is.Not.Null);

    [Test]
    public void Digests_are_of_the_trees_function()
    {
        var other = Digest.Of(DigestFunction.Md5, "x"u8).ToWire();

        Assert.That(Check(new WireDirectory { Files = { new FileNode { Name = "a", Digest = other } } }), Is.Not.Null);
        Assert.That(Check(new WireDirectory { Directories = { new DirectoryNode { Name = "a" } } }), Is.Not.Null);
    }

    [Test] // REAPI X13: unknown properties pass, unsorted ones do not
    public void Node_properties_are_sorted_and_otherwise_free()
    {
        NodeProperties Of(params string[] names) => new() { Properties = { names.Select(name => new NodeProperty { Name = name }) } };

        Assert.That(Check(new WireDirectory { NodeProperties = Of("bazel_tool_input", "colour") }), Is.Null);
        Assert.That(Check(new WireDirectory { NodeProperties = Of("b", "a") }), Is.Not.Null);
        Assert.That(Check(new WireDirectory { Files = { new FileNode { Name = "f", Digest = Some, NodeProperties = Of("a", "a") } } }), Is.Not.Null);
    }
}
