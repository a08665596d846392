using Build.Bazel.Remote.Execution.V2;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Client;

/// <summary>
/// Brings an action's outputs into a folder. Paths come from a server: one that is absolute or climbs out is
/// refused before anything is written, and no file is written through a symlink.
/// </summary>
public sealed class OutputFetcher(IBlobStore blobs, DigestFunction function)
{
    // A Tree lists every file of an output folder; beyond this it is not one that a person waits for.
    private const int TreeBytesMax = 64 << 20;

    /// <summary>Answers the number of files written.</summary>
    public async Task<int> FetchAsync(ActionResult result, string folder, CancellationToken cancellationToken)
    {
        int written = 0;
        foreach (var directory in result.OutputDirectories)
            written += await FetchTreeAsync(directory, Resolve(folder, directory.Path), cancellationToken);
        foreach (var file in result.OutputFiles)
        {
            await FetchFileAsync(Resolve(folder, file.Path), file.Digest, file.IsExecutable, cancellationToken);
            written++;
        }

        foreach (var link in result.OutputSymlinks)
            MakeLink(Resolve(folder, link.Path), link.Target);
        return written;
    }

    /// <summary>Writes one blob to a file that appears whole or not at all.</summary>
    public async Task FetchFileAsync(string path, Build.Bazel.Remote.Execution.V2.Digest? wire, bool executable, CancellationToken cancellationToken)
    {
        var digest = WireDigests.FromWire(wire, function, "output_files.digest");
        await using var reader = await blobs.OpenReadAsync(digest, offset: 0, cancellationToken)
            ?? throw new ClientException($"output {path} ({digest}) is no longer stored; run the command again with --no-cache");

        System.IO.Directory.CreateDirectory(Path.GetDirectoryName(path)!); // Resolve made it absolute
        string temporary = $"{path}.{Guid.NewGuid():N}.part";
        try
        {
            await using (var file = new FileStream(temporary, Options(executable)))
                await CopyAsync(reader, file, digest, cancellationToken);
            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    private async Task<int> FetchTreeAsync(OutputDirectory directory, string path, CancellationToken cancellationToken)
    {
        var digest = WireDigests.FromWire(directory.TreeDigest, function, "output_directories.tree_digest");
        var bytes = await blobs.ReadAllAsync(digest, TreeBytesMax, cancellationToken)
            ?? throw new ClientException($"output folder {directory.Path} ({digest}) is no longer stored; run the command again with --no-cache");
        var tree = Tree.Parser.ParseFrom(bytes.Span);
        var children = new Dictionary<Digest, WireDirectory>();
        foreach (var child in tree.Children)
            children.TryAdd(Digest.Of(function, Google.Protobuf.MessageExtensions.ToByteArray(child)), child);
        return await FetchDirectoryAsync(tree.Root ?? new WireDirectory(), children, path, cancellationToken);
    }

    private async Task<int> FetchDirectoryAsync(
        WireDirectory directory, Dictionary<Digest, WireDirectory> children, string path, CancellationToken cancellationToken)
    {
        if (DirectoryChecks.Check(directory, function, allowAbsoluteSymlinks: true) is { } error)
            throw new ClientException($"the server's answer for {path} is malformed: {error}");
        if (new FileInfo(path).LinkTarget is not null)
            File.Delete(path);
        System.IO.Directory.CreateDirectory(path);

        int written = 0;
        foreach (var file in directory.Files)
        {
            await FetchFileAsync(Path.Combine(path, file.Name), file.Digest, file.IsExecutable, cancellationToken);
            written++;
        }

        foreach (var link in directory.Symlinks)
            MakeLink(Path.Combine(path, link.Name), link.Target);
        foreach (var child in directory.Directories)
        {
            var digest = WireDigests.FromWire(child.Digest, function, "directory digest");
            if (!children.TryGetValue(digest, out var message))
                throw new ClientException($"the server's answer for {path} is malformed: folder {child.Name} is not in its tree");
            written += await FetchDirectoryAsync(message, children, Path.Combine(path, child.Name), cancellationToken);
        }

        return written;
    }

    private static string Resolve(string folder, string path)
    {
        if (!ActionPath.TryResolve("", path, out string resolved, out string? error))
            throw new ClientException($"the server named an output outside of its folder: {error}");

        // A parent that is a symlink would lead elsewhere, whoever made it.
        string root = Path.GetFullPath(folder);
        string full = Path.Combine(root, resolved);
        for (string? parent = Path.GetDirectoryName(full); parent is not null && parent.Length > root.Length; parent = Path.GetDirectoryName(parent))
        {
            if (new FileInfo(parent).LinkTarget is not null)
                throw new ClientException($"{parent} is a symlink; outputs are not written through it. Remove it and try again");
        }

        return full;
    }

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

    private static async Task CopyAsync(IBlobReader reader, Stream file, Digest digest, CancellationToken cancellationToken)
    {
        // The bytes came over a wire: believe them when their hash is right.
        using var hasher = Core.DigestHasher.Create(digest.Function);
        byte[] buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(LocalBlob.FileBufferBytes);
        try
        {
            int read;
            while ((read = await reader.ReadAsync(buffer, cancellationToken)) > 0)
            {
                hasher.Append(buffer.AsSpan(0, read));
                await file.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            }
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        }

        if (hasher.Finish() is var received && !received.Equals(digest))
            throw new ClientException($"received {received} where {digest} was asked for; nothing was written");
    }
}
