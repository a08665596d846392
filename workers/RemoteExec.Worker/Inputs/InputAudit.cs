using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>
/// The second measure against an action that alters its inputs (TRUST 3, hard-link tampering): the first is that
/// their owner is not mapped in its user namespace. Notes the identity of every linked file before the command
/// and looks again after it.
/// </summary>
/// <remarks>
/// Compares inode, size and modification time. Not the change time and not the link count: both move whenever
/// another action links the same blob. A name the action has removed or replaced says nothing about the blob
/// and is passed over.
/// </remarks>
internal sealed class InputAudit
{
    private readonly string _root;
    private readonly List<Entry> _entries;

    private InputAudit(string root, List<Entry> entries)
    {
        _root = root;
        _entries = entries;
    }

    public static InputAudit Begin(InputTree tree, string root)
    {
        var entries = new List<Entry>(tree.Files.Count);
        foreach (var file in tree.Files)
        {
            // A file of its own, such as the empty one, is the action's to change.
            if (TryStat(root, file.Path) is { LinkCount: > 1 } status)
                entries.Add(new Entry(file, status));
        }
        return new InputAudit(root, entries);
    }

    /// <summary>The first input whose content may have changed; null when all stand.</summary>
    public BlobLink? FindAltered()
    {
        foreach (var (file, before) in _entries)
        {
            if (TryStat(_root, file.Path) is not { } now || now.Inode != before.Inode) continue;
            if (now.SizeBytes != before.SizeBytes
                || now.ModifiedSeconds != before.ModifiedSeconds
                || now.ModifiedNanoseconds != before.ModifiedNanoseconds)
            {
                return file;
            }
        }
        return null;
    }

    private static FileStatus? TryStat(string root, string path)
    {
        var name = FileName.From($"{root}/{path}");
        return Libc.Stat(Libc.AtFdCwd, name.Terminated, Libc.AtSymlinkNoFollow, FileStatus.BasicMask, out var status) == 0
            ? status
            : null;
    }

    private readonly record struct Entry(BlobLink File, FileStatus Before);
}
