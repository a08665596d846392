using System.CommandLine;
using RemoteExec.Hosting;

namespace RemoteExec.Cli;

/// <summary><c>rexec action DIGEST</c>: what an action is, and what came of it, in words.</summary>
internal static class ActionVerb
{
    public static Command Create(Cli cli)
    {
        var digest = Cli.DigestArgument();
        var verb = new Command("action", "Shows an action: its command, its inputs, its cached result.") { digest };
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            var format = cli.Output.Of(parsed);
            using var remote = cli.Server.Connect(parsed);
            var blobs = remote.OpenStore();
            var wanted = await new DigestFinder(remote, blobs).FindAsync(parsed.GetValue(digest)!, cancellationToken); // required
            var story = await ActionStory.ReadAsync(remote, blobs, wanted, cancellationToken);
            if (story is { Action: null, Result: null }) throw NotStored.Of(wanted);

            cli.Console.Write(format == OutputFormat.Text ? ActionText.Of(story) : Report.Of(format, ActionText.Row(story)));
            return ExitCode.Done;
        });
        return verb;
    }
}
