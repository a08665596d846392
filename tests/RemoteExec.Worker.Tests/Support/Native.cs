using System.Runtime.InteropServices;

namespace RemoteExec.Worker.Tests;

/// <summary>Files that the base library cannot make.</summary>
internal static partial class Native
{
    public static void MakeFifo(string path)
    {
        if (MakeFifo(path, Permissions.Octal0600) != 0) throw Failure($"mkfifo {path}");
    }

    public static void HardLink(string from, string to)
    {
        if (Link(from, to) != 0) throw Failure($"link {to}");
    }

    private static FileSystemException Failure(string what) => new(what, Marshal.GetLastPInvokeError());

    [LibraryImport("libc", EntryPoint = "mkfifo", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MakeFifo(string path, uint mode);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string from, string to);
}
