using System.IO.Enumeration;
using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using RemoteExec.Files;
using RemoteExec.Protocol;

namespace RemoteExec.Client;

/// <summary>
/// Reads folders of this machine into a Merkle tree of Directory messages (REAPI Directory): names sorted by their bytes,
/// the executable bit kept, symlinks kept as symlinks. Sockets, pipes and devices are refused by name, and so is what no message
/// can hold: all of it before anything is sent.
/// </summary>
public sealed class InputTreeBuilder
{
    private static readonly Comparer<string> ByBytes = Comparer<string>.Create(NodeName.Compare);

    private readonly DigestFunction _function;
    private readonly InputSources _sources;
    private readonly Dictionary<Digest, LocalBlob> _blobs = [];
    private long _files;
    private long _bytes;

    private InputTreeBuilder(InputSources sources, DigestFunction function) => (_sources, _function) = (sources, function);

    /// <exception cref="ClientException">The folder cannot be read, or holds what an input root cannot.</exception>
    public static Task<InputTree> BuildAsync(string folder, DigestFunction function, CancellationToken cancellationToken) =>
        BuildAsync(new InputSources { Folders = [folder], AllowAbsoluteLinks = true }, function, cancellationToken);

    /// <inheritdoc cref="BuildAsync(string, DigestFunction, CancellationToken)"/>
    public static async Task<InputTree> BuildAsync(InputSources sources, DigestFunction function, CancellationToken cancellationToken)
    {
        var roots = sources.Folders.Select(folder => new DirectoryInfo(folder)).ToList();
        if (roots.Find(root => !root.Exists) is { } absent)
            throw new ClientException($"{absent} is not a folder; name one with -i, or leave -i out to send no inputs");

        var builder = new InputTreeBuilder(sources, function);
        try
        {
            var digest = await builder.AddDirectoryAsync(roots, sources.Files, cancellationToken);
            return new InputTree(digest, builder._blobs.Values, builder._files, builder._bytes);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new ClientException($"cannot read {string.Join(", ", sources.Folders)}: {unreadable.Message}", unreadable);
        }
    }

    /// <summary>One file, of which the tree is the blob.</summary>
    /// <exception cref="ClientException">It is none, or cannot be read.</exception>
    public static async Task<InputTree> OfFileAsync(string path, DigestFunction function, CancellationToken cancellationToken)
    {
        if (!Path.Exists(path)) throw new ClientException($"{path} does not exist");
        // A device never ends, a pipe may never begin.
        if (!FileStatus.IsRegular(new FileInfo(path).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? path))
            throw new ClientException($"{path} is neither a file nor a folder");

        var blob = await LocalBlob.OfFileAsync(function, path, cancellationToken);
        return new InputTree(blob.Digest, [blob], Files: 1, blob.Digest.SizeBytes);
    }

    /// <summary>The tree without anything in it.</summary>
    public static InputTree Empty(DigestFunction function) => new(Digest.Empty(function), [], 0, 0);

    private async ValueTask<Digest> AddDirectoryAsync(
        IReadOnlyList<DirectoryInfo> layers, IReadOnlyList<KeyValuePair<string, LocalBlob>> files, CancellationToken cancellationToken)
    {
        var message = new WireDirectory();
        var entries = layers.SelectMany(layer => layer.EnumerateFileSystemInfos()).Where(IsWanted)
            .GroupBy(entry => entry.Name).OrderBy(entry => entry.Key, ByBytes);
        foreach (var found in entries)
        {
            var entry = found.First();
            if (found.Count() == 1 || found.All(IsFolder))
                await AddAsync(message, [.. found], cancellationToken);
            else
                throw new ClientException($"{entry.FullName} is also in another input folder; only folders can be laid over each other");
        }

        foreach (var (name, blob) in files)
            AddFile(message, name, blob);
        return Add(LocalBlob.OfBytes(_function, message.ToByteArray()));
    }

    private async ValueTask AddAsync(WireDirectory message, FileSystemInfo[] layers, CancellationToken cancellationToken)
    {
        var entry = layers[0];
        CheckName(entry);
        if (entry.LinkTarget is { } target)
            message.Symlinks.Add(new SymlinkNode { Name = entry.Name, Target = CheckTarget(entry, target) });
        else if (entry is DirectoryInfo)
            message.Directories.Add(new DirectoryNode
            {
                Name = entry.Name,
                Digest = (await AddDirectoryAsync([.. layers.Cast<DirectoryInfo>()], [], cancellationToken)).ToWire(),
            });
        else if (FileStatus.IsRegular(entry.FullName))
            message.Files.Add(await AddFileAsync((FileInfo)entry, cancellationToken));
        else
            throw new ClientException($"{entry.FullName} is neither a file, a folder nor a symlink; move it out of the input folder");
    }

    private async ValueTask<FileNode> AddFileAsync(FileInfo file, CancellationToken cancellationToken)
    {
        var digest = Add(await LocalBlob.OfFileAsync(_function, file.FullName, cancellationToken));
        _files++;
        _bytes += digest.SizeBytes;
        return new FileNode { Name = file.Name, Digest = digest.ToWire(), IsExecutable = IsExecutable(file) };
    }

    private void AddFile(WireDirectory message, string name, LocalBlob blob)
    {
        if (message.Files.Any(f => f.Name == name) || message.Directories.Any(d => d.Name == name) || message.Symlinks.Any(s => s.Name == name))
            throw new ClientException($"the name {name} is taken in the input folder; rename it there");

        int place = 0;
        while (place < message.Files.Count && NodeName.Compare(message.Files[place].Name, name) < 0) place++;
        message.Files.Insert(place, new FileNode { Name = name, Digest = Add(blob).ToWire() });
    }

    private Digest Add(LocalBlob blob)
    {
        _blobs.TryAdd(blob.Digest, blob);
        return blob.Digest;
    }

    private bool IsWanted(FileSystemInfo entry) =>
        !_sources.Excluded.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, entry.Name, ignoreCase: false));

    private string CheckTarget(FileSystemInfo link, string target) => _sources.AllowAbsoluteLinks || !target.StartsWith('/')
        ? target
        : throw new ClientException(
            $"{link.FullName} is a link to the absolute path {target}, which leads nowhere on another machine; make it relative (ln -sr) or leave it out (--exclude)");

    // The base library shows bytes that are no UTF-8 as U+FFFD, and under that name nothing is there. A name that really has one is.
    private static void CheckName(FileSystemInfo entry)
    {
        if (entry.Name.Contains('\uFFFD', StringComparison.Ordinal) && entry.LinkTarget is null && !Path.Exists(entry.FullName))
            throw new ClientException($"{entry.FullName} has a name that is not UTF-8, as names in an input must be; rename it or leave it out (--exclude)");
    }

    private static bool IsFolder(FileSystemInfo entry) => entry is DirectoryInfo && entry.LinkTarget is null;

    private static bool IsExecutable(FileInfo file) =>
        !OperatingSystem.IsWindows() && (file.UnixFileMode & UnixFileMode.UserExecute) != 0;
}
