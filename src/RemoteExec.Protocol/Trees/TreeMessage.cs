using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;

namespace RemoteExec.Protocol;

/// <summary>
/// A Tree blob: its Directories under the digests of the very bytes that stand in it. Written again by us they might have others.
/// <code>
/// 0a len root · 12 len child · 12 len child …
/// </code>
/// </summary>
public sealed class TreeMessage
{
    private const uint RootTag = (Tree.RootFieldNumber << 3) | (uint)WireFormat.WireType.LengthDelimited;
    private const uint ChildTag = (Tree.ChildrenFieldNumber << 3) | (uint)WireFormat.WireType.LengthDelimited;

    private readonly Dictionary<Digest, WireDirectory> _directories = [];

    private TreeMessage(DigestFunction function)
    {
        // A Tree that says nothing is an empty folder.
        Root = Digest.Empty(function);
        _directories[Root] = new WireDirectory();
    }

    public Digest Root { get; private set; }

    /// <summary>Root, children, and the empty Directory, which stands nowhere and exists everywhere.</summary>
    public IReadOnlyDictionary<Digest, WireDirectory> Directories => _directories;

    /// <summary>What is no Tree is INVALID_ARGUMENT. Its Directories are read, not checked.</summary>
    public static TreeMessage Parse(ReadOnlyMemory<byte> blob, Digest digest)
    {
        var tree = new TreeMessage(digest.Function);
        var input = UnsafeByteOperations.UnsafeWrap(blob).CreateCodedInput();
        try
        {
            while (input.ReadTag() is not 0 and var tag)
            {
                if (tag == RootTag) tree.Root = tree.Add(input.ReadBytes());
                else if (tag == ChildTag) tree.Add(input.ReadBytes());
                else input.SkipLastField();
            }
        }
        catch (InvalidProtocolBufferException broken)
        {
            throw RpcErrors.Invalid($"blob {digest} is not a {nameof(Tree)}: {broken.Message}");
        }

        return tree;
    }

    private Digest Add(ByteString bytes)
    {
        var digest = Digest.Of(Root.Function, bytes.Span);
        if (!_directories.ContainsKey(digest)) _directories[digest] = WireMessages.Parse(WireDirectory.Parser, bytes.Memory, digest);
        return digest;
    }
}
