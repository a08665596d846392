using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>Moves a file or directory from the kernel's memory to the disk; 0 or the errno.</summary>
internal interface IDiskFlush
{
    int Flush(SafeFileHandle fileOrDirectory);
}

internal sealed class DiskFlush : IDiskFlush
{
    public int Flush(SafeFileHandle fileOrDirectory) => Posix.Flush(fileOrDirectory);
}
