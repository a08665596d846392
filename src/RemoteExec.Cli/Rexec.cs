using System.CommandLine;
using System.Reflection;
using System.Text;
using System.Text.Json.Nodes;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Hosting;

namespace RemoteExec.Cli;

/// <summary>The command <c>rexec</c>: its verbs, and how each failure ends the process.</summary>
internal static class Rexec
{
    // "@file" is an argument like any other: it is the remote compiler's to read.
    private static readonly ParserConfiguration Parsing = new() { ResponseFileTokenReplacer = null };

    public static async Task<int> RunAsync(string[] arguments, CliConsole console)
    {
        var cli = new Cli(new ServerOptions(), new OutputOptions(), console);
        var root = Create(cli);
        var run = root.Subcommands.Single(verb => verb.Name == "run");
        string[] words = RunArguments.Separate(arguments, root, run);
        var parsed = root.Parse(words, Parsing);
        using var signals = new StopSignals();
        try
        {
            return await RunAsync(parsed, words, console, signals.Stopping);
        }
        catch (OutputClosedException)
        {
            return OutputClosedException.ExitCode; // and nobody to tell it to
        }
        catch (Exception interrupted) when (signals.Stopping.IsCancellationRequested
            && interrupted is OperationCanceledException or RpcException { StatusCode: StatusCode.Cancelled })
        {
            return Tell(console, signals.ExitCode, signals.ExitCode == ExitCode.Terminated ? "terminated" : "interrupted");
        }
        catch (Exception failure)
        {
            // Nothing travels further: who calls this is a person or a script, and both want a sentence and a code.
            var (code, sentence) = Failures.Of(failure, cli.Server.AddressOf(parsed));
            return Tell(console, code, sentence);
        }
    }

    private static async Task<int> RunAsync(ParseResult parsed, string[] words, CliConsole console, CancellationToken cancellationToken)
    {
        string[] slips = [.. SlipsIn(parsed, words)];
        foreach (string slip in slips)
            console.Say(slip);
        if (slips.Length > 0) return ExitCode.Usage;

        await using var text = new StreamWriter(console.Output, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), leaveOpen: true);
        await using var errors = new StreamWriter(console.Error, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), leaveOpen: true);
        // Signals are ours: the parser's own handling knows one exit code for both of them.
        return await parsed.InvokeAsync(
            new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null, Output = text, Error = errors }, cancellationToken);
    }

    private static RootCommand Create(Cli cli)
    {
        var version = new Option<bool>("--version") { Description = "print the version" };
        var root = new RootCommand("Runs commands and moves files through a remote execution server.") { HelpName = "rexec" };
        foreach (var own in root.Options.OfType<VersionOption>().ToList()) root.Options.Remove(own); // it prints the host's
        root.Directives.Clear();
        foreach (var option in new Option[] { version, cli.Server.Address, cli.Server.Instance, cli.Server.Http, cli.Output.Format, cli.Output.Json })
            root.Options.Add(option);
        foreach (var verb in new[]
        {
            RunVerb.Create(cli), PutVerb.Create(cli), GetVerb.Create(cli), CatVerb.Create(cli), LsVerb.Create(cli), ActionVerb.Create(cli),
            CancelVerb.Create(cli), StatusVerb.Create(cli), CompletionVerb.Create(cli, root), HelpVerb.Create(root),
        })
            root.Subcommands.Add(verb);
        root.SetAction(parsed => parsed.GetValue(version) ? PrintVersion(cli, parsed) : Greet(cli.Console));
        HelpPage.AddTo(root);
        return root;
    }

    private static int PrintVersion(Cli cli, ParseResult parsed)
    {
        string version = typeof(Rexec).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion; // the SDK writes it
        var format = cli.Output.Of(parsed);
        cli.Console.Write(format == OutputFormat.Text ? $"rexec {version}\n" : Report.Of(format, new JsonObject { ["version"] = version }));
        return ExitCode.Done;
    }

    private static int Greet(CliConsole console) => Tell(
        console, ExitCode.Usage, "Say what to do: rexec run -- CMD, rexec put PATH, rexec get DIGEST PATH, rexec status. All of it: rexec help");

    /// <summary>What was not understood, with what was probably meant; where nothing is strange, what is missing.</summary>
    private static IEnumerable<string> SlipsIn(ParseResult parsed, string[] words)
    {
        var command = parsed.CommandResult.Command;
        string program = command is RootCommand ? "rexec" : $"rexec {command.Name}";
        Option[] options = [.. command.Options, .. parsed.RootCommandResult.Command.Options.Where(option => option.Recursive)];
        string[] names = [.. options.Select(option => option.Name).Distinct()];
        string[] unknown = [.. RunArguments.Unknown(words, options)];
        if (unknown.Length > 0)
            return unknown.Select(word => word.Split('=')[0]).Select(word =>
                $"{word}: {program} has no such option.{NearestName.Suggestion(word, names)} See {program} --help");

        if (parsed.Errors.Count == 0) return [];
        string[] slips = [.. CommandLineSlips.In(parsed, program)];
        return slips.Length > 0 ? slips : parsed.Errors.Select(error => $"{error.Message.TrimEnd('.')}. See {program} --help");
    }

    private static int Tell(CliConsole console, int code, string sentence)
    {
        console.Say(sentence);
        return code;
    }
}
