namespace RemoteExec.Storage.Tests;

/// <summary>The process that the crash tests kill: <c>dotnet RemoteExec.Storage.Tests.dll DIRECTORY [unflushed]</c>.</summary>
internal static class Program
{
    private static async Task<int> Main(string[] arguments)
    {
        if (arguments.Length == 0) return 2;
        await CrashingWriter.RunAsync(arguments[0], isFlushed: !arguments.Contains("unflushed"));
        return 0;
    }
}
