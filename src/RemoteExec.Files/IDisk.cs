using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Files;

/// <summary>The moments in which a disk shows its faults. <see cref="Disk"/> is the real one; a test's fails when it is told to.</summary>
public interface IDisk
{
    /// <summary>Moves a file or directory from the kernel's memory to the disk; 0 or the errno.</summary>
    int Flush(SafeFileHandle fileOrDirectory);

    /// <summary>A file's bytes, and of what else is known of it no more than it takes to read them back; 0 or the errno.</summary>
    int FlushData(SafeFileHandle file) => Flush(file);

    /// <summary>All that was written to the file system that this is on; 0 or the errno.</summary>
    int FlushFileSystem(SafeFileHandle fileOrDirectory) => Flush(fileOrDirectory);

    /// <summary>Reads into memory; 0 bytes are the end of the file.</summary>
    /// <exception cref="IOException">With the errno as its HResult.</exception>
    int Read(SafeFileHandle file, Span<byte> buffer, long offset);
}
