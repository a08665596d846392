using RemoteExec.Core;

namespace RemoteExec.Server;

/// <summary>What is allowed and dangerous about a server's settings, a sentence each: said at every start and by <c>/readyz</c>.</summary>
internal static class Dangers
{
    public static IReadOnlyList<string> Of(PortAddress grpc, PortAddress http, ServerOptions options)
    {
        var dangers = new List<string>();
        // There is no authentication yet.
        if (!grpc.IsLoopback)
        {
            dangers.Add(options.Plays(ServerRole.Coordinator)
                ? $"--grpc {grpc.Address} is reached beyond this machine and asks nobody who they are: who reaches it runs programs here and may join as a worker. Keep it in a network that you trust"
                : $"--grpc {grpc.Address} is reached beyond this machine and asks nobody who they are: who reaches it reads and writes the cache. Keep it in a network that you trust");
        }

        if (!http.IsLoopback)
            dangers.Add($"--http {http.Address} is reached beyond this machine: who reaches it reads commands, outputs and metrics{(grpc.IsLoopback ? "" : ", and reads and writes the cache")}. Keep it in a network that you trust");
        return dangers;
    }

    /// <summary>A limit that the disk has no room for. It is taken all the same: what else is there may be moved away.</summary>
    /// <param name="heldBytes">What the store has of it already.</param>
    public static IEnumerable<string> OfLimit(long limitBytes, long heldBytes, long freeBytes, string path)
    {
        if (limitBytes > heldBytes + freeBytes)
        {
            yield return $"the store may grow to {UnitText.FormatSize(limitBytes)}, and the disk of {path} has room for {UnitText.FormatSize(heldBytes + freeBytes)}, "
                + "what it holds included: uploads fail when that is used up. Free some there, or lower --max-cas-size";
        }
    }
}
