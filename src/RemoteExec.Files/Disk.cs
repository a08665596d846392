using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Files;

/// <summary>The disk below the file system.</summary>
public sealed class Disk : IDisk
{
    public int Flush(SafeFileHandle fileOrDirectory)
    {
        if (OperatingSystem.IsLinux()) return Posix.Flush(fileOrDirectory);

        try
        {
            // On macOS more than fsync: that one leaves the bytes in the drive's own memory.
            RandomAccess.FlushToDisk(fileOrDirectory);
            return 0;
        }
        catch (IOException failed)
        {
            return failed.HResult;
        }
    }

    public int FlushData(SafeFileHandle file) => OperatingSystem.IsLinux() ? Posix.FlushData(file) : Flush(file);

    public int FlushFileSystem(SafeFileHandle fileOrDirectory) =>
        OperatingSystem.IsLinux() ? Posix.FlushFileSystem(fileOrDirectory) : Flush(fileOrDirectory);

    public int Read(SafeFileHandle file, Span<byte> buffer, long offset) => RandomAccess.Read(file, buffer, offset);
}
