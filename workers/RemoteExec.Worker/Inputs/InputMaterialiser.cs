using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>
/// Builds an input root on disk. Files are hard links into the local store wherever the file system allows:
/// their owner is not mapped in the action's user namespace and they have no write bit, so the action can
/// remove its own names for them and nothing else. Directories belong to the action.
/// </summary>
/// <remarks>
/// Works with path strings, which is safe here and only here: the tree lies in a directory of ours that nobody
/// else can enter, and the action has not started.
/// </remarks>
/// <param name="owner">To whom directories and links belong: the user that the action runs as.</param>
/// <param name="copies">
/// The action will run as the owner of the stored files, so a link would give it the store's own bytes to change.
/// </param>
internal sealed class InputMaterialiser(ILocalBlobStore store, uint owner, bool copies)
{
    /// <summary>Inputs are hard links: whether the action altered one is worth a look afterwards.</summary>
    public bool Links => !copies;

    /// <summary>Fills the empty directory <paramref name="root"/>; answers the files that are not in the store.</summary>
    public async ValueTask<IReadOnlyList<Digest>> MaterialiseAsync(InputTree tree, string root, CancellationToken cancellationToken)
    {
        MakeDirectories(tree, root);
        MakeSymlinks(tree, root);
        return await LinkAsync(tree.Files, root, cancellationToken);
    }

    /// <summary>Puts files, or those that were not in the store the first time, into a tree whose directories are made.</summary>
    public async ValueTask<IReadOnlyList<Digest>> LinkAsync(List<BlobLink> files, string root, CancellationToken cancellationToken) =>
        files.Count == 0 ? [] : await store.LinkManyAsync(UnderRoot(files, root, copies), cancellationToken);

    /// <summary>
    /// Makes the directories above every output, and those that legacy clients expect to exist (REAPI X5). A link
    /// or a file of the input tree in such a place is the action's mistake, told before it runs.
    /// </summary>
    public void MakeOutputParents(IReadOnlyCollection<string> directories, string root)
    {
        if (directories.Count == 0) return;
        using var top = DirectoryHandle.Open(root);
        foreach (string path in directories) MakeDirectoryBeneath(top, path);
    }

    /// <summary>
    /// Gives inputs the rights and times that their client names (REAPI X12). After everything is in its place: what is put into a directory
    /// changes that one's time, and nothing can be put into one without rights.
    /// </summary>
    public void SetAttributes(InputTree tree, string root)
    {
        foreach (var input in tree.Attributes)
        {
            var name = FileName.From(input.Path.Length == 0 ? root : $"{root}/{input.Path}");
            // A copy is the action's own, as its directories are: by other rights than everybody's it could not read it.
            int errno = input.Kind == FileKind.Regular && owner != Posix.EffectiveUser ? Posix.ChangeOwner(name, owner, owner) : 0;
            // Without entering its root nobody could work in it, nor look at what was left there.
            if (errno == 0 && input.Mode is { } mode) errno = Posix.ChangeMode(name, input.Path.Length == 0 ? mode | Permissions.Octal0700 : mode);
            if (errno == 0 && input.Modified is { } modified) errno = Posix.SetModified(name, modified.Seconds, modified.Nanoseconds);
            if (errno != 0) throw DirectoryHandle.Failure("setting attributes of", input.Path, errno);
        }
    }

    private void MakeDirectories(InputTree tree, string root)
    {
        if (tree.Directories.Count == 0) return;
        using var top = DirectoryHandle.Open(root);
        foreach (string path in tree.Directories)
        {
            if (!top.TryMakeDirectory(FileName.From(path), owner)) throw DirectoryHandle.Failure("mkdir", path, Errno.EEXIST);
        }
    }

    private void MakeSymlinks(InputTree tree, string root)
    {
        bool chown = owner != Posix.EffectiveUser;
        foreach (var link in tree.Symlinks)
        {
            var name = FileName.From($"{root}/{link.Path}");
            int errno = Posix.MakeSymlink(link.Target, name);
            if (errno != 0) throw DirectoryHandle.Failure("symlink", link.Path, errno);
            if (chown) errno = Posix.ChangeOwner(name, owner, owner);
            if (errno != 0) throw DirectoryHandle.Failure("chown", link.Path, errno);
        }
    }

    private static List<BlobLink> UnderRoot(List<BlobLink> files, string root, bool copies)
    {
        var links = new List<BlobLink>(files.Count);
        foreach (var file in files)
            links.Add(file with { Path = $"{root}/{file.Path}", IsCopy = copies || file.IsCopy });
        return links;
    }

    private void MakeDirectoryBeneath(DirectoryHandle top, string path)
    {
        var current = top;
        try
        {
            foreach (string segment in path.Split('/'))
            {
                var name = FileName.From(segment);
                current.TryMakeDirectory(name, owner);
                var next = current.TryOpenDirectory(name)
                    ?? throw DirectoryHandle.Failure("open", path, Errno.ENOENT);
                if (current != top) current.Dispose();
                current = next;
            }
        }
        catch (FileSystemException blocked) when (blocked.Errno is Errno.ELOOP or Errno.ENOTDIR)
        {
            string what = blocked.Errno is Errno.ELOOP ? "a symbolic link" : "not a directory";
            throw RpcErrors.Invalid($"the directory {Printable.Quote(path)} of an output cannot be made: the input tree has {what} in its place");
        }
        finally
        {
            if (current != top) current.Dispose();
        }
    }
}
