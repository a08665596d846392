using System.CommandLine;
using Grpc.Core;
using RemoteExec.Client;

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
            foreach (var error in parsed.Errors)
                console.Say(error.Message);
            console.Say("See rexec --help");
            return ExitCode.Usage;
        }

        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
        }
        catch (Exception wrong) when (wrong is ClientException or IOException or UnauthorizedAccessException)
        {
            // All of them are about this machine: an option, a folder, a full disk.
            console.Say(wrong.Message);
            return ExitCode.Usage;
        }
        catch (RpcException interrupted) when (interrupted.StatusCode == StatusCode.Cancelled)
        {
            return Interrupted(console);
        }
        catch (RpcException failure)
        {
            console.Say(Explain(failure));
            return CodeOf(failure.StatusCode);
        }
        catch (OperationCanceledException)
        {
            return Interrupted(console);
        }
    }

    private static int Interrupted(CliConsole console)
    {
        console.Say("interrupted");
        return ExitCode.Interrupted;
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
