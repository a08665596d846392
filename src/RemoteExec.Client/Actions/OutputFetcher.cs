using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Client;

/// <summary>
/// Brings an action's outputs into a folder. Paths come from a server: one that is absolute or climbs out is
/// refused before anything is written, and no file is written through a symlink.
/// </summary>
public sealed class OutputFetcher(IBlobStore blobs, DigestFunction function)
{
    // How deep a folder may be is for this machine's file system to say. Its Directories come inside of the Tree.
    private readonly TreeLimits _limits = new() { DepthMax = int.MaxValue, PathBytesMax = int.MaxValue, DirectoryBytesMax = int.MaxValue };

    private long _entries;

    /// <summary>The folders of a Tree may share children, so that few bytes describe more files than a disk holds.</summary>
    internal int EntriesMax { init => _limits = _limits with { EntriesMax = value }; }

    /// <summary>Called with the bytes of each piece that was written.</summary>
    public Action<long>? Moved { get; init; }

    /// <summary>Answers the number of files written.</summary>
    /// <exception cref="RpcException">DATA_LOSS for an answer that cannot be true, NOT_FOUND for outputs that are no longer stored.</exception>
    /// <exception cref="ClientException">The folder is not fit to be written to.</exception>
    public async Task<int> FetchAsync(ActionResult result, string folder, CancellationToken cancellationToken)
    {
        string root = Path.GetFullPath(folder);
        // All of them before the first is written: a hostile answer changes nothing here.
        var directories = result.OutputDirectories.Select(d => (Path: Resolve(root, d.Path), Directory: d)).ToList();
        var files = result.OutputFiles.Select(f => (Path: Resolve(root, f.Path), File: f)).ToList();
        var links = result.OutputSymlinks.Select(l => (Path: Resolve(root, l.Path), Link: l)).ToList();

        int written = 0;
        foreach (var (path, directory) in directories)
        {
            CheckParents(root, path);
            written += await FetchTreeAsync(directory, path, cancellationToken);
        }

        foreach (var (path, file) in files)
        {
            // Again for each: a folder fetched before may have brought a link.
            CheckParents(root, path);
            await FetchOutputAsync(path, file.Digest, file.IsExecutable, cancellationToken);
            written++;
        }

        foreach (var (path, link) in links)
        {
            CheckParents(root, path);
            MakeLink(path, link.Target);
        }

        return written;
    }

    /// <summary>Writes a stored folder into one of this machine; answers the number of files.</summary>
    /// <exception cref="RpcException">NOT_FOUND for files that are not stored.</exception>
    public Task<int> FetchFolderAsync(StoredFolder folder, string path, CancellationToken cancellationToken)
    {
        // A link that the caller named is followed; one below it is not.
        var place = System.IO.Directory.CreateDirectory(Path.GetFullPath(path));
        return FetchAsync(folder.Walk, folder.Root, place.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? place.FullName, cancellationToken);
    }

    /// <summary>Writes one blob to a file that appears whole or not at all; false is a miss.</summary>
    public async Task<bool> FetchFileAsync(string path, Digest digest, bool executable, CancellationToken cancellationToken)
    {
        await using var reader = await blobs.OpenReadAsync(digest, offset: 0, cancellationToken);
        if (reader is null) return false;

        string full = Path.GetFullPath(path);
        System.IO.Directory.CreateDirectory(Path.GetDirectoryName(full)!); // a file's full path has a folder
        string temporary = $"{full}.{Guid.NewGuid():N}.part";
        try
        {
            await using (var file = new FileStream(temporary, Options(executable)))
                await ReadAsync(reader, Moved is null ? file : new CountingStream(file, Moved), digest, cancellationToken);
            File.Move(temporary, full, overwrite: true);
            return true;
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    private async Task FetchOutputAsync(string path, WireDigest? wire, bool executable, CancellationToken cancellationToken)
    {
        var digest = DigestOf(wire, path);
        if (!await FetchFileAsync(path, digest, executable, cancellationToken))
            throw NoLongerStored(path, digest);
    }

    private async Task<int> FetchTreeAsync(OutputDirectory directory, string path, CancellationToken cancellationToken)
    {
        var digest = DigestOf(directory.TreeDigest, path);
        var bytes = await blobs.ReadAllAsync(digest, _limits.TreeBytesMax, cancellationToken) ?? throw NoLongerStored(path, digest);
        var tree = await CheckAsync(bytes, digest, path, cancellationToken);
        return await FetchAsync(Walk(tree), tree.Root, path, cancellationToken);
    }

    /// <summary>All of a Tree, before anything of it is written.</summary>
    private async Task<TreeMessage> CheckAsync(ReadOnlyMemory<byte> bytes, Digest digest, string path, CancellationToken cancellationToken)
    {
        try
        {
            var tree = TreeMessage.Parse(bytes, digest);
            var sums = new TreeSums(_limits);
            await foreach (var found in Walk(tree).DistinctAsync(tree.Root, isKnown: null, cancellationToken))
            {
                if (found.Message is null) throw RpcErrors.Invalid($"the folder {found.Digest} is not in its Tree");
                if (DirectoryChecks.Check(found.Message, function, allowAbsoluteSymlinks: true) is { } error) throw RpcErrors.Invalid(error);
                sums.Add(found);
            }

            _entries += sums.Sum(tree.Root).Entries;
            return _entries <= _limits.EntriesMax ? tree : throw RpcErrors.Invalid($"the outputs have more than {_limits.EntriesMax} entries");
        }
        catch (RpcException malformed) when (malformed.StatusCode is StatusCode.InvalidArgument or StatusCode.ResourceExhausted)
        {
            throw Malformed(path, malformed.Status.Detail);
        }
    }

    private DirectoryWalk Walk(TreeMessage tree) => new((digest, _) => ValueTask.FromResult(tree.Directories.GetValueOrDefault(digest)), _limits);

    private async Task<int> FetchAsync(DirectoryWalk walk, Digest root, string path, CancellationToken cancellationToken)
    {
        int written = 0;
        await foreach (var place in walk.ExpandAsync(root, cancellationToken))
        {
            string folder = Path.Combine(path, place.Path);
            if (new FileInfo(folder).LinkTarget is not null) File.Delete(folder);
            System.IO.Directory.CreateDirectory(folder);
            foreach (var file in place.Message!.Files) // the whole Tree was checked
            {
                await FetchOutputAsync(Path.Combine(folder, file.Name), file.Digest, file.IsExecutable, cancellationToken);
                written++;
            }

            foreach (var link in place.Message.Symlinks)
                MakeLink(Path.Combine(folder, link.Name), link.Target);
        }

        return written;
    }

    private Digest DigestOf(WireDigest? wire, string path) =>
        WireDigests.TryFromWire(wire, function, out var digest, out string? error) ? digest : throw Malformed(path, $"its digest: {error}");

    private static string Resolve(string root, string path)
    {
        if (!ActionPath.TryResolve("", path, out string resolved, out string? error))
            throw Malformed(path, error!); // set when it is refused
        return Path.Combine(root, resolved);
    }

    // A parent that is a symlink would lead elsewhere, whoever made it.
    private static void CheckParents(string root, string path)
    {
        for (string? parent = Path.GetDirectoryName(path); parent is not null && parent.Length > root.Length; parent = Path.GetDirectoryName(parent))
        {
            if (new FileInfo(parent).LinkTarget is not null)
                throw new ClientException($"{parent} is a symlink; outputs are not written through it. Remove it and try again");
        }
    }

    private static RpcException Malformed(string path, string error) =>
        new(new Status(StatusCode.DataLoss, $"the server's answer is malformed at output {path}: {error}"));

    private static RpcException NoLongerStored(string path, in Digest digest) =>
        new(new Status(StatusCode.NotFound, $"output {path} ({digest}) is no longer stored; run the command again with --no-cache"));

    private static void MakeLink(string path, string target)
    {
        System.IO.Directory.CreateDirectory(Path.GetDirectoryName(path)!); // Resolve made it absolute
        File.Delete(path);
        File.CreateSymbolicLink(path, target);
    }

    private static FileStreamOptions Options(bool executable)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
        {
            const UnixFileMode Plain = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
            const UnixFileMode Execute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
            options.UnixCreateMode = executable ? Plain | Execute : Plain;
        }

        return options;
    }

    private static async ValueTask ReadAsync(IBlobReader reader, Stream file, Digest digest, CancellationToken cancellationToken)
    {
        // The bytes came over a wire: believe them when their hash is right.
        using var hasher = Core.DigestHasher.Create(digest.Function, digest.SizeBytes);
        await reader.ReadToAsync(file, hasher, cancellationToken);
        if (hasher.Finish() is var received && !received.Equals(digest))
            throw new RpcException(new Status(StatusCode.DataLoss, $"received {received} where {digest} was asked for; nothing was written"));
    }
}
