using System.CommandLine;
using RemoteExec.Client;
using RemoteExec.Core;

namespace RemoteExec.Cli;

/// <summary><c>rexec help VERB</c>: <c>rexec VERB --help</c> for those who begin with the question.</summary>
internal static class HelpVerb
{
    public static Command Create(RootCommand root)
    {
        var about = new Argument<string?>("verb") { Description = "what to explain; everything when left out", HelpName = "VERB", Arity = ArgumentArity.ZeroOrOne };
        var verb = new Command("help", "Explains rexec, or one of its verbs.") { about };
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            string? name = parsed.GetValue(about);
            string[] names = [.. root.Subcommands.Select(other => other.Name)];
            if (name is not null && !names.Contains(name))
                throw new ClientException($"'{name}': rexec has no such verb.{NearestName.Suggestion(name, names)} See rexec --help");
            return await root.Parse(name is null ? ["--help"] : [name, "--help"]).InvokeAsync(parsed.InvocationConfiguration, cancellationToken);
        });
        return verb;
    }
}
