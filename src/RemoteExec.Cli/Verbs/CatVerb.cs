using System.CommandLine;
using RemoteExec.Hosting;
using RemoteExec.Storage;

namespace RemoteExec.Cli;

/// <summary><c>rexec cat DIGEST</c>: writes a blob to standard output.</summary>
internal static class CatVerb
{
    public static Command Create(ServerOptions server, CliConsole console)
    {
        var digest = new Argument<string>("digest") { Description = "HASH/SIZE, or a bytestream:// address" };
        var verb = new Command("cat", "Writes a blob to standard output.") { digest };
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            var wanted = DigestText.Parse(parsed.GetValue(digest)!); // required
            using var remote = server.Connect(parsed);
            await using var blob = await remote.OpenStore().OpenReadAsync(wanted, offset: 0, cancellationToken);
            if (blob is null)
            {
                console.Say($"blob {wanted} is not stored there");
                return ExitCode.NotFound;
            }

            await blob.ReadToAsync(console.Output, hasher: null, cancellationToken);
            await console.Output.FlushAsync(cancellationToken);
            return ExitCode.Done;
        });
        return verb;
    }
}
