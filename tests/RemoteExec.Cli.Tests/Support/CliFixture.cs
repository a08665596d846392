using System.Text;

namespace RemoteExec.Cli.Tests;

/// <summary><c>rexec</c> in this process, against a server that does what a test says.</summary>
internal abstract class CliFixture
{
    protected const int Done = 0, CommandFailed = 1, Usage = 2, NotFound = 3, Refused = 4, Unavailable = 5;

    protected ScriptedServer Server { get; private set; } = null!; // set before each test

    protected TemporaryFolder Folder { get; } = new();

    [SetUp]
    public async Task StartAsync() => Server = await ScriptedServer.StartAsync();

    [TearDown]
    public async Task StopAsync()
    {
        await Server.DisposeAsync();
        Folder.Dispose();
    }

    protected Task<CliAnswer> RunAsync(params string[] arguments) => RunWithInputAsync(input: null, arguments);

    protected Task<CliAnswer> RunWithInputAsync(string? input, params string[] arguments) =>
        RunAtAsync(Server.Address, input is null ? null : new MemoryStream(Encoding.UTF8.GetBytes(input)), isWatched: false, arguments);

    protected static async Task<CliAnswer> RunAtAsync(string address, Stream? input, bool isWatched, params string[] arguments)
    {
        var output = new MemoryStream();
        var error = new MemoryStream();
        int exitCode = await Rexec.RunAsync(["--server", address, .. arguments], new CliConsole(output, error) { Input = input, IsWatched = isWatched });
        return new CliAnswer(exitCode, Encoding.UTF8.GetString(output.ToArray()), Encoding.UTF8.GetString(error.ToArray()));
    }
}

/// <summary>How a call of <c>rexec</c> ended.</summary>
internal sealed record CliAnswer(int ExitCode, string Output, string Error);
