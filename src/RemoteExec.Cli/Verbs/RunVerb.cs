using System.CommandLine;
using RemoteExec.Client;
using RemoteExec.Core;
using RemoteExec.Hosting;

namespace RemoteExec.Cli;

/// <summary><c>rexec run [-i DIR] [-o PATH]… -- CMD</c>: one command remotely, as if it ran here.</summary>
internal static class RunVerb
{
    public static Command Create(ServerOptions server, CliConsole console)
    {
        var inputs = new Option<string?>("--input", "-i") { Description = "folder whose content is the input root; nothing when left out", HelpName = "DIR" };
        var outputs = new Option<string[]>("--output", "-o") { Description = "file or folder to bring back, relative to the input root; repeatable", HelpName = "PATH" };
        var into = new Option<string>("--into") { Description = "folder for the outputs", HelpName = "DIR", DefaultValueFactory = _ => "." };
        var properties = new Option<string[]>("--property", "-p") { Description = "platform property that the worker must offer; repeatable", HelpName = "NAME=VALUE" };
        var environment = new Option<string[]>("--env", "-e") { Description = "environment variable of the command; repeatable", HelpName = "NAME=VALUE" };
        var timeout = new Option<string?>("--timeout") { Description = "how long the command may run, such as 30s or 5m", HelpName = "TIME" };
        var noCache = new Option<bool>("--no-cache") { Description = "run although a result is cached" };
        var propagate = new Option<bool>("--propagate-exit") { Description = "end with the command's own exit code" };
        var command = new Argument<string[]>("command") { Description = "the program and its arguments, after --", Arity = ArgumentArity.OneOrMore };

        var verb = new Command("run", "Runs one command remotely: uploads inputs, shows its output, fetches results.")
        {
            inputs, outputs, into, properties, environment, timeout, noCache, propagate, command,
        };
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            var remoteCommand = new RemoteCommand
            {
                Arguments = parsed.GetValue(command)!, // required
                OutputPaths = [.. (parsed.GetValue(outputs) ?? []).Select(path => path.TrimEnd('/'))],
                Platform = [.. (parsed.GetValue(properties) ?? []).Select(text => Pair(text, "--property"))],
                Environment = Variables(parsed.GetValue(environment) ?? []),
                Timeout = parsed.GetValue(timeout) is { } text ? Duration(text) : null,
                SkipCacheLookup = parsed.GetValue(noCache),
            };
            using var remote = server.Connect(parsed);
            await using var run = new RemoteRun(remote, console);
            int exitCode = await run.RunAsync(remoteCommand, parsed.GetValue(inputs), parsed.GetValue(into)!, cancellationToken); // has a default
            return exitCode == 0 ? ExitCode.Done : parsed.GetValue(propagate) ? exitCode : ExitCode.CommandFailed;
        });
        return verb;
    }

    // The last one wins, as in env(1).
    private static Dictionary<string, string> Variables(IEnumerable<string> texts)
    {
        var variables = new Dictionary<string, string>();
        foreach (string text in texts)
        {
            var (name, value) = Pair(text, "--env");
            variables[name] = value;
        }

        return variables;
    }

    private static TimeSpan Duration(string text) => UnitText.TryParseDuration(text, out var duration) && duration > TimeSpan.Zero
        ? duration
        : throw new ClientException($"--timeout {text}: write a number and a unit, such as 30s or 5m");

    private static KeyValuePair<string, string> Pair(string text, string option)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        return equals > 0
            ? new(text[..equals], text[(equals + 1)..])
            : throw new ClientException($"{option} {text}: write NAME=VALUE");
    }
}
