using System.Net;
using System.Net.Sockets;

namespace RemoteExec.Testing;

/// <summary>
/// Ports for a server that must come back at the same place after kill -9, so that "any free port" will
/// not do. Taken from below the range out of which the kernel serves outgoing connections
/// (ip_local_port_range begins at 32768), and handed out once per test run.
/// </summary>
internal static class FreePort
{
    private const int First = 20000;
    private const int Last = 29999;

    // Test runs side by side begin at different places.
    private static int s_next = First + Environment.ProcessId * 37 % (Last - First);

    public static int Next()
    {
        for (int tries = 0; tries <= Last - First; tries++)
        {
            int port = First + Interlocked.Increment(ref s_next) % (Last - First + 1);
            if (IsFree(port)) return port;
        }

        throw new InvalidOperationException($"no free port between {First} and {Last}");
    }

    private static bool IsFree(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
