using System.Collections;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace RemoteExec.Hosting;

/// <summary>
/// Listening sockets that a service manager opened before it started us, and keeps open while we are away: who connects during a
/// restart waits and is not refused (sd_listen_fds(3)).
/// </summary>
public static partial class InheritedSockets
{
    private const int FirstDescriptor = 3; // SD_LISTEN_FDS_START
    private const int F_SETFD = 2; // fcntl(2), the same on every Linux
    private const int FD_CLOEXEC = 1;

    /// <summary>By FileDescriptorName=, each with the address on which it listens; none when nobody gave us any.</summary>
    public static IReadOnlyList<InheritedSocket> Take(IDictionary environment)
    {
        bool isForUs = int.TryParse((string?)environment["LISTEN_PID"], NumberStyles.None, CultureInfo.InvariantCulture, out int process)
            && process == Environment.ProcessId; // the variables outlive an exec, and children inherit them
        if (!isForUs || !int.TryParse((string?)environment["LISTEN_FDS"], NumberStyles.None, CultureInfo.InvariantCulture, out int count))
            return [];

        string[] names = ((string?)environment["LISTEN_FDNAMES"] ?? "").Split(':');
        return [.. Enumerable.Range(0, count).Select(i => Take(i < names.Length ? names[i] : "", FirstDescriptor + i))];
    }

    private static InheritedSocket Take(string name, int descriptor)
    {
        // They come without it, since they had to survive our own exec. A process that we start must not hold our ports.
        if (SetFlags(descriptor, F_SETFD, FD_CLOEXEC) != 0)
            throw new IOException($"the socket {name} that the service manager gave cannot be used: {Marshal.GetLastPInvokeErrorMessage()}");

        using var socket = new Socket(new SafeSocketHandle(descriptor, ownsHandle: false));
        return new InheritedSocket(name, (ulong)descriptor, socket.LocalEndPoint as IPEndPoint);
    }

    // Its own, beside those of the native room of files: what is under every host knows none of the rooms.
    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int SetFlags(int descriptor, int command, int flags);
}
