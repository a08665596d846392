namespace RemoteExec.Hosting.Tests;

/// <summary>The process that the tests of a life start: <c>dotnet RemoteExec.Hosting.Tests.dll --work NAME</c>.</summary>
internal static class Program
{
    private static Task<int> Main(string[] arguments) => ProgramHost.RunAsync(new ScriptedProgram(), arguments);
}
