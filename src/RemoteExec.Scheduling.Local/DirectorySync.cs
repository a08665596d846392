using System.ComponentModel;
using System.Runtime.InteropServices;

namespace RemoteExec.Scheduling.Local;

/// <summary>Makes names in a directory durable: a file that was fsynced can still lose its name (fsync(2), NOTES).</summary>
internal static partial class DirectorySync
{
    private const int ReadOnly = 0; // O_RDONLY, on every Unix

    public static void Flush(string directory)
    {
        // NTFS journals names by itself, and has no such call.
        if (OperatingSystem.IsWindows()) return;

        int descriptor = Open(directory, ReadOnly);
        if (descriptor < 0) throw Failure("open", directory);
        try
        {
            if (Fsync(descriptor) != 0) throw Failure("fsync", directory);
        }
        finally
        {
            // Nothing was written through it: its closing cannot fail in a way that matters.
            _ = Close(descriptor);
        }
    }

    private static IOException Failure(string call, string directory)
    {
        var error = new Win32Exception(Marshal.GetLastPInvokeError());
        return new IOException($"{call} of {directory}: {error.Message}", error);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
