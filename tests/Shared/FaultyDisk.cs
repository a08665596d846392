using Microsoft.Win32.SafeHandles;
using RemoteExec.Files;

namespace RemoteExec.Testing;

/// <summary>A disk that fails as it is told: on files whose path ends so.</summary>
internal sealed class FaultyDisk : IDisk
{
    private readonly Disk _disk = new();

    /// <summary>The errno of each flush; 0 for none.</summary>
    public int FlushFault { get; set; }

    /// <summary>The errno of each read from <see cref="ReadFaultFrom"/> on; 0 for none.</summary>
    public int ReadFault { get; set; }

    public long ReadFaultFrom { get; set; }

    public string FaultyFile { get; set; } = "";

    public int Flush(SafeFileHandle fileOrDirectory) =>
        FlushFault != 0 && IsFaulty(fileOrDirectory) ? FlushFault : _disk.Flush(fileOrDirectory);

    public int Read(SafeFileHandle file, Span<byte> buffer, long offset)
    {
        if (ReadFault == 0 || !IsFaulty(file)) return _disk.Read(file, buffer, offset);
        if (offset >= ReadFaultFrom) throw new FileSystemException("reading", ReadFault);
        return _disk.Read(file, buffer[..(int)Math.Min(buffer.Length, ReadFaultFrom - offset)], offset);
    }

    private bool IsFaulty(SafeFileHandle file) =>
        FaultyFile.Length == 0 || new FileInfo($"/proc/self/fd/{file.DangerousGetHandle()}").LinkTarget!.EndsWith(FaultyFile, StringComparison.Ordinal);
}
