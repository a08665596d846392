using System.CommandLine;
using Grpc.Core;
using RemoteExec.Client;
using RemoteExec.Hosting;

namespace RemoteExec.Cli;

/// <summary>The command <c>rexec</c>: its verbs, and how each failure ends the process.</summary>
internal static class Rexec
{
    public static async Task<int> RunAsync(string[] arguments, CliConsole console)
    {
        var server = new ServerOptions();
        var root = new RootCommand("Runs commands and moves files through a remote execution server.")
        {
            server.Address,
            server.Instance,
            RunVerb.Create(server, console),
            PutVerb.Create(server, console),
            GetVerb.Create(server, console),
            CatVerb.Create(server, console),
            StatusVerb.Create(server, console),
        };

        var parsed = root.Parse(arguments);
        if (parsed.Errors.Count > 0)
        {
            foreach (string slip in SlipsIn(parsed))
                console.Say(slip);
            return ExitCode.Usage;
        }

        using var signals = new StopSignals();
        try
        {
            // Signals are ours: the parser's own handling knows one exit code for both of them.
            return await parsed.InvokeAsync(
                new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, signals.Stopping);
        }
        catch (Exception wrong) when (wrong is ClientException or IOException or UnauthorizedAccessException)
        {
            // All of them are about this machine: an option, a folder, a full disk.
            console.Say(wrong.Message);
            return ExitCode.Usage;
        }
        catch (Exception interrupted) when (interrupted is OperationCanceledException or RpcException { StatusCode: StatusCode.Cancelled })
        {
            console.Say(signals.ExitCode == ExitCode.Terminated ? "terminated" : "interrupted");
            return signals.ExitCode;
        }
        catch (RpcException failure)
        {
            console.Say(Explain(failure));
            return CodeOf(failure.StatusCode);
        }
    }

    /// <summary>What was not understood, with what was probably meant; where nothing is strange, what is missing.</summary>
    private static List<string> SlipsIn(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        string program = command is RootCommand ? "rexec" : $"rexec {command.Name}";
        List<string> slips = [.. CommandLineSlips.In(parsed, program)];
        return slips.Count > 0 ? slips : [.. parsed.Errors.Select(error => $"{error.Message.TrimEnd('.')}. See {program} --help")];
    }

    private static string Explain(RpcException failure) => failure.StatusCode switch
    {
        StatusCode.Unavailable => $"the server cannot be reached: {failure.Status.Detail}. Is it running? Start one with ./eng/up, or name another with --server",
        _ => $"{failure.StatusCode}: {failure.Status.Detail}",
    };

    private static int CodeOf(StatusCode code) => code switch
    {
        StatusCode.InvalidArgument => ExitCode.Usage,
        StatusCode.NotFound => ExitCode.NotFound,
        StatusCode.Unavailable or StatusCode.DeadlineExceeded or StatusCode.Internal or StatusCode.Unknown or StatusCode.DataLoss => ExitCode.Unavailable,
        _ => ExitCode.Refused,
    };
}
