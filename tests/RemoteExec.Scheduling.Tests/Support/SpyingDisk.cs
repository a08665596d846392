using Microsoft.Win32.SafeHandles;
using RemoteExec.Files;

namespace RemoteExec.Scheduling.Tests;

/// <summary>Notes which names a loss of power would leave: those that were in a directory when it was flushed.</summary>
internal sealed class SpyingDisk : IDisk
{
    private readonly Disk _disk = new();

    public HashSet<string> DurableNames { get; } = [];

    /// <summary>The one that cannot be flushed.</summary>
    public string? Failing { get; init; }

    public int Flush(SafeFileHandle fileOrDirectory)
    {
        string path = new FileInfo($"/proc/self/fd/{fileOrDirectory.DangerousGetHandle()}").LinkTarget!; // it is open
        if (path == Failing) return Errno.EIO;
        int errno = _disk.Flush(fileOrDirectory);
        if (errno == 0 && Directory.Exists(path)) DurableNames.UnionWith(Directory.EnumerateFileSystemEntries(path));
        return errno;
    }

    public int Read(SafeFileHandle file, Span<byte> buffer, long offset) => _disk.Read(file, buffer, offset);
}
