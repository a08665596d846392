using System.CommandLine;
using RemoteExec.Client;
using RemoteExec.Core;
using RemoteExec.Hosting;

namespace RemoteExec.Cli;

/// <summary><c>rexec run [-i DIR]… [-o PATH]… [--] CMD</c>: one command remotely, as if it ran here.</summary>
internal static class RunVerb
{
    public static Command Create(Cli cli)
    {
        var inputs = new Option<string[]>("--input", "-i") { Description = "folder whose content is the input root; repeatable, laid over each other; nothing when left out", HelpName = "DIR" };
        var exclude = new Option<string[]>("--exclude") { Description = "leave out of the input what has this name, wherever it stands; * and ? match; repeatable", HelpName = "NAME" };
        var outputs = new Option<string[]>("--output", "-o") { Description = "file or folder to bring back, relative to the input root; repeatable", HelpName = "PATH" };
        var into = new Option<string>("--into") { Description = "folder for the outputs", HelpName = "DIR", DefaultValueFactory = _ => "." };
        var stdin = new Option<string?>("--stdin") { Description = "file that the command reads as its standard input; - is ours, as is what is piped in; none sends nothing", HelpName = "FILE" };
        var properties = new Option<string[]>("--property", "-p") { Description = "platform property that the worker must offer; repeatable", HelpName = "NAME=VALUE" };
        var environment = new Option<string[]>("--env", "-e") { Description = "environment variable of the command; repeatable", HelpName = "NAME=VALUE" };
        var environmentFile = new Option<string?>("--env-file") { Description = "file with a NAME=VALUE on each line; --env wins", HelpName = "FILE" };
        var timeout = new Option<string?>("--timeout") { Description = "how long the command may run, such as 30s or 5m", HelpName = "TIME" };
        var noCache = new Option<bool>("--no-cache") { Description = "run although a result is cached" };
        var propagate = new Option<bool>("--propagate-exit") { Description = "end with the command's own exit code" };
        var command = new Argument<string[]>("command") { Description = "the program and its arguments; all that follows is theirs", HelpName = "CMD", Arity = ArgumentArity.OneOrMore };

        var verb = new Command("run", "Runs one command remotely: uploads inputs, shows its output, fetches results.")
        {
            inputs, exclude, outputs, into, stdin, properties, environment, environmentFile, timeout, noCache, propagate, command,
        };
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            var format = cli.Output.Of(parsed);
            var remoteCommand = new RemoteCommand
            {
                Arguments = parsed.GetValue(command)!, // required
                OutputPaths = [.. (parsed.GetValue(outputs) ?? []).Select(OutputPath).Distinct()],
                Platform = [.. (parsed.GetValue(properties) ?? []).Select(text => RunTexts.Pair(text, "--property"))],
                Environment = RunTexts.Variables(parsed.GetValue(environmentFile), parsed.GetValue(environment) ?? []),
                Timeout = parsed.GetValue(timeout) is { } text ? RunTexts.Duration(text) : null,
                SkipCacheLookup = parsed.GetValue(noCache),
            };
            var sources = new InputSources
            {
                Folders = [.. (parsed.GetValue(inputs) ?? []).Select(LocalPath.Check)],
                Excluded = parsed.GetValue(exclude) ?? [],
            };
            string target = LocalPath.Check(parsed.GetValue(into)!); // has a default

            using var remote = cli.Server.Connect(parsed);
            await using var run = new RemoteRun(remote, cli.Console, isOutputData: format == OutputFormat.Text);
            // Before standard input is read: one may type for a while.
            var capabilities = await remote.AskCapabilitiesAsync(cancellationToken);
            (remoteCommand, sources) = await new RunInput(cli.Console).AddAsync(parsed.GetValue(stdin), remoteCommand, sources, cancellationToken);
            var outcome = await run.RunAsync(remoteCommand, sources, target, capabilities, cancellationToken);
            if (format != OutputFormat.Text) cli.Console.Write(Report.Of(format, outcome.ToRow()));
            return ExitCodeOf(outcome, parsed.GetValue(propagate));
        });
        return verb;
    }

    private static int ExitCodeOf(RunOutcome outcome, bool propagate) =>
        outcome.ExitCode != 0 ? propagate ? outcome.ExitCode : ExitCode.CommandFailed
        : outcome.IsWhole ? ExitCode.Done
        : ExitCode.CommandFailed;

    private static string OutputPath(string text) => LocalPath.Check(text).TrimEnd('/') is { Length: > 0 } path
        ? path
        : throw new ClientException($"--output {text}: outputs are relative to the input root");
}
