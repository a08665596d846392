using System.Collections.Concurrent;
using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage.Tests;

/// <summary>Remembers what a loss of power would leave of each file: what it had when it was flushed last.</summary>
internal sealed class ForgetfulDisk : IDisk
{
    private readonly Disk _disk = new();
    private readonly ConcurrentDictionary<ulong, byte[]> _flushed = new();

    /// <summary>The names of what was flushed, in order.</summary>
    public ConcurrentQueue<string> Flushes { get; } = new();

    /// <summary>Called before each, with the path.</summary>
    public Action<string> BeforeFlush { get; set; } = _ => { };

    /// <summary>Flushes of files whose path ends so fail.</summary>
    public string? Fault { get; set; }

    public int Flush(SafeFileHandle fileOrDirectory)
    {
        string path = new FileInfo($"/proc/self/fd/{fileOrDirectory.DangerousGetHandle()}").LinkTarget!;
        BeforeFlush(path);
        Flushes.Enqueue(path);
        if (Fault is { } end && path.EndsWith(end, StringComparison.Ordinal)) return Errno.EIO;

        var status = FileStatus.Of(fileOrDirectory);
        if (path.Contains("behind.log", StringComparison.Ordinal))
        {
            byte[] content = new byte[RandomAccess.GetLength(fileOrDirectory)];
            int read = RandomAccess.Read(fileOrDirectory, content, 0);
            _flushed[status.Inode] = content[..read];
        }

        return _disk.Flush(fileOrDirectory);
    }

    public int Read(SafeFileHandle file, Span<byte> buffer, long offset) => _disk.Read(file, buffer, offset);

    /// <summary>The power goes: the file has what was flushed of it.</summary>
    public void Lose(string path)
    {
        if (Posix.Stat(path, out var status) != 0) return;
        if (_flushed.TryGetValue(status.Inode, out byte[]? content)) File.WriteAllBytes(path, content);
        else File.Delete(path);
    }
}
