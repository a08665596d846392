using System.Collections;

namespace RemoteExec.Server.Tests;

/// <summary>The server's options as its command line gives them.</summary>
internal static class Options
{
    public static ServerOptions Of(params string[] arguments)
    {
        var outcome = ServerOptions.Table.Read(arguments, new Hashtable());
        return outcome.Options ?? throw new ArgumentException(string.Join('\n', outcome.Errors), nameof(arguments));
    }

    public static IReadOnlyList<string> ErrorsOf(params string[] arguments) => ServerOptions.Table.Read(arguments, new Hashtable()).Errors;
}
