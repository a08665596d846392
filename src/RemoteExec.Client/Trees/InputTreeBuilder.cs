using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using RemoteExec.Files;
using RemoteExec.Protocol;

namespace RemoteExec.Client;

/// <summary>
/// Reads a folder of this machine into a Merkle tree of Directory messages (REAPI Directory): names sorted by their bytes,
/// the executable bit kept, symlinks kept as symlinks. Sockets, pipes and devices are refused by name.
/// </summary>
public sealed class InputTreeBuilder(DigestFunction function)
{
    private static readonly Comparer<string> ByBytes = Comparer<string>.Create(NodeName.Compare);

    private readonly Dictionary<Digest, LocalBlob> _blobs = [];
    private long _files;
    private long _bytes;

    /// <exception cref="ClientException">The folder cannot be read, or holds what an input root cannot.</exception>
    public static async Task<InputTree> BuildAsync(string folder, DigestFunction function, CancellationToken cancellationToken)
    {
        var root = new DirectoryInfo(folder);
        if (!root.Exists)
            throw new ClientException($"{folder} is not a folder; name one with -i, or leave -i out to send no inputs");

        var builder = new InputTreeBuilder(function);
        try
        {
            var digest = await builder.AddDirectoryAsync(root, cancellationToken);
            return new InputTree(digest, builder._blobs.Values, builder._files, builder._bytes);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new ClientException($"cannot read {folder}: {unreadable.Message}", unreadable);
        }
    }

    /// <summary>The tree without anything in it.</summary>
    public static InputTree Empty(DigestFunction function) => new(Digest.Empty(function), [], 0, 0);

    private async ValueTask<Digest> AddDirectoryAsync(DirectoryInfo folder, CancellationToken cancellationToken)
    {
        var message = new WireDirectory();
        foreach (var entry in folder.EnumerateFileSystemInfos().OrderBy(e => e.Name, ByBytes))
        {
            if (entry.LinkTarget is { } target)
                message.Symlinks.Add(new SymlinkNode { Name = entry.Name, Target = target });
            else if (entry is DirectoryInfo child)
                message.Directories.Add(new DirectoryNode { Name = child.Name, Digest = (await AddDirectoryAsync(child, cancellationToken)).ToWire() });
            else if (FileStatus.IsRegular(entry.FullName))
                message.Files.Add(await AddFileAsync((FileInfo)entry, cancellationToken));
            else
                throw new ClientException($"{entry.FullName} is neither a file, a folder nor a symlink; move it out of the input folder");
        }

        return Add(LocalBlob.OfBytes(function, message.ToByteArray()));
    }

    private async ValueTask<FileNode> AddFileAsync(FileInfo file, CancellationToken cancellationToken)
    {
        var digest = Add(await LocalBlob.OfFileAsync(function, file.FullName, cancellationToken));
        _files++;
        _bytes += digest.SizeBytes;
        return new FileNode { Name = file.Name, Digest = digest.ToWire(), IsExecutable = IsExecutable(file) };
    }

    private Digest Add(LocalBlob blob)
    {
        _blobs.TryAdd(blob.Digest, blob);
        return blob.Digest;
    }

    private static bool IsExecutable(FileInfo file) =>
        !OperatingSystem.IsWindows() && (file.UnixFileMode & UnixFileMode.UserExecute) != 0;
}
