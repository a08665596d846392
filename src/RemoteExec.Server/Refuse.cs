using Microsoft.AspNetCore.Connections;
using RemoteExec.Core;

namespace RemoteExec.Server;

/// <summary>Turns what the system says about a port into a sentence that names the option.</summary>
internal static class Refuse
{
    public static async Task PortInUseAsync(HostPort address, string option, Func<Task> listen) =>
        await PortInUseAsync(address, option, async () =>
        {
            await listen();
            return true;
        });

    public static async Task<T> PortInUseAsync<T>(HostPort address, string option, Func<Task<T>> listen)
    {
        try
        {
            return await listen();
        }
        catch (IOException failure) when (failure.InnerException is AddressInUseException)
        {
            throw new ServerRefusedException(
                $"{address} is in use by another program; stop it, or choose another address with --{option} HOST:PORT", failure);
        }
        catch (System.Net.Sockets.SocketException failure)
        {
            throw new ServerRefusedException($"cannot listen on {address}: {failure.Message}; choose another address with --{option} HOST:PORT", failure);
        }
    }
}
