using System.CommandLine;
using RemoteExec.Client;
using RemoteExec.Hosting;

namespace RemoteExec.Cli;

/// <summary><c>rexec get DIGEST FILE</c>: fetches a blob into a file, which appears whole or not at all.</summary>
internal static class GetVerb
{
    public static Command Create(ServerOptions server, CliConsole console)
    {
        var digest = new Argument<string>("digest") { Description = "HASH/SIZE, or a bytestream:// address" };
        var path = new Argument<string>("file") { Description = "where to write it" };
        var executable = new Option<bool>("--executable", "-x") { Description = "make the file executable" };
        var verb = new Command("get", "Fetches a blob into a file.") { digest, path, executable };
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            var wanted = DigestText.Parse(parsed.GetValue(digest)!); // required
            string to = Path.GetFullPath(parsed.GetValue(path)!); // required
            using var remote = server.Connect(parsed);
            var fetcher = new OutputFetcher(remote.OpenStore(), wanted.Function);
            if (await fetcher.FetchFileAsync(to, wanted, parsed.GetValue(executable), cancellationToken))
                return ExitCode.Done;
            console.Say($"blob {wanted} is not stored there");
            return ExitCode.NotFound;
        });
        return verb;
    }
}
