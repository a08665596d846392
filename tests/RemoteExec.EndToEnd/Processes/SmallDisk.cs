using System.Diagnostics;

namespace RemoteExec.EndToEnd;

/// <summary>A file system that is soon full: tmpfs (tmpfs(5)) with a size. Nothing may be open on it at the end.</summary>
internal sealed class SmallDisk : IDisposable
{
    private SmallDisk(string path) => Path = path;

    public string Path { get; }

    /// <summary>But for a few pages: others give some back while one takes what there is.</summary>
    public bool IsFull => new DriveInfo(Path).AvailableFreeSpace < 256 << 10;

    /// <summary>Null where we may not mount.</summary>
    public static SmallDisk? TryMount(string path, long sizeBytes)
    {
        Directory.CreateDirectory(path);
        return Environment.IsPrivilegedProcess && Run("mount", "-t", "tmpfs", "-o", $"size={sizeBytes}", "none", path) ? new SmallDisk(path) : null;
    }

    public void Dispose()
    {
        if (!Run("umount", Path)) throw new IOException($"{Path} cannot be unmounted");
    }

    private static bool Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
