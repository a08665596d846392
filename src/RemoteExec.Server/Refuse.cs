using Microsoft.AspNetCore.Connections;
using RemoteExec.Core;

namespace RemoteExec.Server;

/// <summary>Turns what the system says about a port into a sentence that names the option.</summary>
internal static class Refuse
{
    /// <summary>The refusal for what was thrown where a port was to be opened; null for anything else.</summary>
    public static ServerRefusedException? Port(Exception failure, HostPort address, string option) => failure switch
    {
        IOException { InnerException: AddressInUseException } => new ServerRefusedException(
            $"{address} is in use by another program; stop it, or choose another address with --{option} HOST:PORT", failure),
        System.Net.Sockets.SocketException => new ServerRefusedException(
            $"cannot listen on {address}: {failure.Message}; choose another address with --{option} HOST:PORT", failure),
        _ => null,
    };
}
