using System.CommandLine;
using System.Text.Json.Nodes;
using RemoteExec.Client;
using RemoteExec.Core;
using RemoteExec.Hosting;

namespace RemoteExec.Cli;

/// <summary><c>rexec completion SHELL</c>: prints what makes a shell complete our verbs and options.</summary>
internal static class CompletionVerb
{
    private static readonly string[] Shells = ["bash", "zsh", "fish"];

    public static Command Create(Cli cli, RootCommand root)
    {
        var shell = new Argument<string>("shell") { Description = "bash, zsh or fish", HelpName = "SHELL" };
        var verb = new Command("completion", "Prints a completion script for a shell.") { shell };
        verb.SetAction(parsed =>
        {
            var format = cli.Output.Of(parsed);
            string name = parsed.GetValue(shell)!; // required
            string script = name switch
            {
                "bash" => CompletionScripts.Bash(root),
                "zsh" => CompletionScripts.Zsh(root),
                "fish" => CompletionScripts.Fish(root),
                _ => throw new ClientException($"{name} is not one of bash, zsh, fish.{NearestName.Suggestion(name, Shells)}"),
            };
            cli.Console.Write(format == OutputFormat.Text ? script : Report.Of(format, new JsonObject { ["shell"] = name, ["script"] = script }));
            return ExitCode.Done;
        });
        return verb;
    }
}
