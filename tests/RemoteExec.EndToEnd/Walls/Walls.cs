using NUnit.Framework;

namespace RemoteExec.EndToEnd;

internal static class Walls
{
    /// <summary>Ignores the test where this kernel, or this user, cannot build what it is about; the server says so, too.</summary>
    public static async Task RequireAsync(ServerProcess server, params IEnumerable<string> walls)
    {
        foreach (string wall in walls)
        {
            if (await server.WhyNotAsync(wall) is { } reason) Assert.Ignore($"the wall '{wall}' does not stand here: {reason}");
        }
    }
}
