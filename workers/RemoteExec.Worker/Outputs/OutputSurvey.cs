using System.Text;
using Grpc.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Worker;

/// <summary>
/// Looks at what an action left in the places it announced, without reading content and without following a
/// link. The tree is the action's work and hostile: fifos, devices, links out of the root, names that are no
/// text and endless depth all end in one clear sentence.
/// </summary>
internal sealed class OutputSurvey(DirectoryHandle root, OutputLimits limits, TreeLimits trees)
{
    // One place may be reached through two announced outputs (nested output directories are legal).
    private readonly Dictionary<string, OutputNode> _seen = new(StringComparer.Ordinal);
    private int _entries;
    private long _bytes;

    /// <summary>Every distinct file found so far.</summary>
    public List<OutputFileNode> Files { get; } = [];

    /// <summary>What is at an announced place; null when nothing is, which is no error (REAPI X6).</summary>
    public OutputNode? Look(OutputPath output)
    {
        if (output.RootPath.Length == 0) return LookInto(root, "", depth: 1) with { Attributes = NodeAttributes.Of(FileStatus.Of(root.Descriptor)) };

        int slash = output.RootPath.LastIndexOf('/');
        string parentPath = slash < 0 ? "" : output.RootPath[..slash];
        DirectoryHandle? parent = null;
        try
        {
            parent = parentPath.Length == 0 ? root : root.TryOpenDirectory(FileName.From(parentPath));
            return parent is null ? null : LookAt(parent, FileName.From(output.RootPath[(slash + 1)..]), output.RootPath, depth: 0);
        }
        catch (FileSystemException blocked) when (blocked.Errno is Errno.ENOTDIR)
        {
            return null; // the command put a file where a parent was: the output is missing
        }
        catch (FileSystemException blocked) when (blocked.Errno is Errno.ELOOP)
        {
            throw Refuse(output.RootPath, "lies behind a symbolic link, which is not followed");
        }
        finally
        {
            if (parent != root) parent?.Dispose();
        }
    }

    private OutputNode? LookAt(DirectoryHandle directory, FileName name, string path, int depth)
    {
        if (_seen.TryGetValue(path, out var known)) return known;
        if (directory.TryStat(name) is not { } status) return null;
        Count(status);

        OutputNode node = status.Kind switch
        {
            FileKind.Regular => AddFile(path, status),
            FileKind.Symlink => LookAtSymlink(directory, name, path, status),
            FileKind.Directory => OpenAndLookInto(directory, name, path, depth) with { Attributes = NodeAttributes.Of(status) },
            var special => throw Refuse(path, $"is a {Describe(special)}, which cannot be an output"),
        };
        _seen.Add(path, node);
        return node;
    }

    private OutputDirectoryNode OpenAndLookInto(DirectoryHandle directory, FileName name, string path, int depth)
    {
        if (depth == trees.DepthMax)
            throw RpcErrors.Of(StatusCode.ResourceExhausted, $"the outputs are deeper than {trees.DepthMax} directories");
        using var child = Readable(path, () => directory.TryOpenDirectory(name))
            ?? throw Refuse(path, "vanished while it was collected");
        return LookInto(child, path, depth + 1);
    }

    private OutputDirectoryNode LookInto(DirectoryHandle directory, string path, int depth)
    {
        var node = new OutputDirectoryNode();
        foreach (var name in directory.ReadNames(trees.EntriesMax))
        {
            string childPath = path.Length == 0 ? name.ToString() : $"{path}/{name}";
            if (!name.TryDecode(out string text)) throw Refuse(childPath, "has a name that is not UTF-8");
            // An action makes such a path step by step; by its whole name nobody can open it, here or on the client's side.
            if (Encoding.UTF8.GetByteCount(childPath) > trees.PathBytesMax)
                throw Refuse(childPath, $"has a path of more than {trees.PathBytesMax} bytes");
            if (LookAt(directory, name, childPath, depth) is { } child) node.Children.Add((text, child));
        }
        return node;
    }

    /// <summary>Where the worker is no more than the action was, the action can shut it out: its own fault, on any worker.</summary>
    public static T? Readable<T>(string path, Func<T?> open) where T : class
    {
        try
        {
            return open();
        }
        catch (FileSystemException shut) when (shut.Errno is Errno.EACCES)
        {
            throw Refuse(path, "may not be read: the command took away the permission");
        }
    }

    private OutputFileNode AddFile(string path, FileStatus status)
    {
        var file = new OutputFileNode(path, status.IsExecutable, status.SizeBytes) { Attributes = NodeAttributes.Of(status) };
        Files.Add(file);
        return file;
    }

    private OutputSymlinkNode LookAtSymlink(DirectoryHandle directory, FileName name, string path, in FileStatus status)
    {
        if (!directory.ReadSymlink(name).TryDecode(out string target))
            throw Refuse(path, "is a symbolic link to a name that is not UTF-8");
        // REAPI X9. A relative target that leaves the root would leave the client's output tree as well: clients
        // have written through such links (remote-apis-sdks 649, 650, 655).
        bool isAbsolute = target.StartsWith('/');
        if (isAbsolute && !trees.AllowsAbsoluteSymlinks)
            throw Refuse(path, $"is a symbolic link to the absolute path {Printable.Quote(target)}, which is disallowed");
        if (!isAbsolute && LeavesRoot(path, target))
            throw Refuse(path, $"is a symbolic link to {Printable.Quote(target)}, outside of the input root");
        return new OutputSymlinkNode(target, root.LeadsToDirectory(FileName.From(path))) { Attributes = NodeAttributes.Of(status) };
    }

    private void Count(FileStatus status)
    {
        if (++_entries > trees.EntriesMax)
            throw RpcErrors.Of(StatusCode.ResourceExhausted, $"the outputs have more than {trees.EntriesMax} entries");
        if (status.Kind == FileKind.Regular && (_bytes += status.SizeBytes) > limits.BytesMax)
            throw RpcErrors.Of(StatusCode.ResourceExhausted, $"the outputs are larger than {limits.BytesMax} bytes together");
    }

    private static bool LeavesRoot(string path, string target)
    {
        int depth = path.Count(character => character == '/'); // of the directory that holds the link
        foreach (string segment in target.Split('/'))
        {
            if (segment is "" or ".") continue;
            depth += segment == ".." ? -1 : 1;
            if (depth < 0) return true;
        }
        return false;
    }

    private static RpcException Refuse(string path, string why) =>
        RpcErrors.Of(StatusCode.FailedPrecondition, $"the output {Printable.Quote(path)} {why}");

    private static string Describe(FileKind kind) => kind switch
    {
        FileKind.Fifo => "fifo",
        FileKind.Socket => "socket",
        FileKind.CharacterDevice or FileKind.BlockDevice => "device",
        _ => "file of an unknown kind",
    };
}
