using System.Text;
using RemoteExec.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Assets;

/// <summary>
/// What an archive says, as directories: every name one segment, nothing absolute, nothing above the root, nothing through a link, and links that
/// stay inside (TRUST 4.6). For one thread at a time.
/// </summary>
internal sealed class UnpackedTree(int entriesMax, int textMax, TreeLimits limits)
{
    private int _entries;
    private long _text;

    public UnpackedDirectory Root { get; } = new();

    /// <summary>One that is there already stays as it is.</summary>
    public void AddDirectory(string path) => DirectoryAt(Segments(path));

    public void AddFile(string path, Digest digest, bool isExecutable) =>
        Put(path, new UnpackedFile(digest, isExecutable));

    /// <summary>A link of two names to one file, of which the other was there before.</summary>
    public void AddHardLink(string path, string target)
    {
        var segments = Segments(target);
        var directory = Root;
        foreach (string name in segments.SkipLast(1))
            directory = directory.Entries.GetValueOrDefault(name) as UnpackedDirectory ?? throw Bad($"the link {Quote(path)} leads to nothing");
        if (segments.Count == 0 || directory.Entries.GetValueOrDefault(segments[^1]) is not UnpackedFile file) throw Bad($"the link {Quote(path)} leads to no file");
        Put(path, file);
    }

    public void AddSymlink(string path, string target)
    {
        var segments = Segments(path);
        CheckTarget(path, target, depth: segments.Count - 1);
        CountText(target);
        Put(path, new UnpackedSymlink(target));
    }

    /// <exception cref="Grpc.Core.RpcException">NOT_FOUND.</exception>
    public UnpackedDirectory Find(string subdirectory)
    {
        var directory = Root;
        foreach (string name in Segments(subdirectory))
        {
            directory = directory.Entries.GetValueOrDefault(name) as UnpackedDirectory
                ?? throw RpcErrors.Of(Grpc.Core.StatusCode.NotFound, $"has no directory {Quote(subdirectory)}");
        }

        return directory;
    }

    /// <summary>INVALID_ARGUMENT: the origin has it, and it is not to be had here.</summary>
    public static Grpc.Core.RpcException Bad(string what) => RpcErrors.Of(Grpc.Core.StatusCode.InvalidArgument, $"the archive is not unpacked: {what}");

    private static string Quote(string path) => PrintableText.Quote(path, 128);

    private void Put(string path, object entry)
    {
        var segments = Segments(path);
        if (segments.Count == 0) throw Bad("an entry has no name");
        var directory = DirectoryAt(segments.SkipLast(1));
        string name = segments[^1];
        if (directory.Entries.TryGetValue(name, out object? before))
        {
            // As tar does: what comes later counts. But a directory is not a file.
            if (before is UnpackedDirectory) throw Bad($"{Quote(path)} is a directory and something else");
        }
        else
        {
            Count(name);
        }

        directory.Entries[name] = entry;
    }

    private UnpackedDirectory DirectoryAt(IEnumerable<string> segments)
    {
        var directory = Root;
        foreach (string name in segments)
        {
            if (!directory.Entries.TryGetValue(name, out object? entry))
            {
                Count(name);
                directory.Entries[name] = entry = new UnpackedDirectory();
            }

            directory = entry as UnpackedDirectory ?? throw Bad($"something is to lie in {Quote(name)}, which is no directory");
        }

        return directory;
    }

    private void Count(string name)
    {
        if (++_entries > entriesMax) throw RpcErrors.Of(Grpc.Core.StatusCode.ResourceExhausted, $"has more than {entriesMax} entries");
        CountText(name);
    }

    private void CountText(string text)
    {
        _text += text.Length;
        if (_text > textMax) throw RpcErrors.Of(Grpc.Core.StatusCode.ResourceExhausted, $"has more than {textMax} characters of names and of targets of links");
    }

    private List<string> Segments(string path)
    {
        if (path.StartsWith('/')) throw Bad($"{Quote(path)} is absolute");
        if (path.Length > limits.PathBytesMax || Encoding.UTF8.GetByteCount(path) > limits.PathBytesMax) throw Bad($"a path is longer than {limits.PathBytesMax} bytes");

        var segments = new List<string>();
        foreach (string name in path.Split('/'))
        {
            if (name is "" or ".") continue; // ./a, a//b, a/
            if (NodeName.Check(name) is { } problem) throw Bad($"{Quote(path)}: {problem}");
            segments.Add(name);
        }

        return segments.Count < limits.DepthMax ? segments : throw Bad($"{Quote(path)} is deeper than {limits.DepthMax} directories");
    }

    /// <summary>
    /// Steps up come first, from a directory that is one, and no more of them than there are directories; then it only goes down. A step up
    /// behind a name could start anywhere: the name may be a link.
    /// </summary>
    private static void CheckTarget(string path, string target, int depth)
    {
        if (target.Length == 0 || target.Contains('\0', StringComparison.Ordinal)) throw Bad($"the link {Quote(path)} has no target");
        if (target[0] == '/') throw Bad($"the link {Quote(path)} leads to the absolute path {Quote(target)}");
        if (Encoding.UTF8.GetByteCount(target) > DirectoryChecks.SymlinkTargetBytesMax) throw Bad($"the target of the link {Quote(path)} is too long");

        bool goesDown = false;
        foreach (string name in target.Split('/'))
        {
            if (name is "" or ".") continue;
            if (name != "..") goesDown = true;
            else if (goesDown || --depth < 0) throw Bad($"the link {Quote(path)} leads out of the archive, to {Quote(target)}");
        }
    }
}
