using System.CommandLine;
using System.Text.Json.Nodes;
using Google.LongRunning;
using Grpc.Core;
using RemoteExec.Hosting;

namespace RemoteExec.Cli;

/// <summary><c>rexec cancel OPERATION</c>: ends what runs or waits under this name.</summary>
internal static class CancelVerb
{
    public static Command Create(Cli cli)
    {
        var operation = new Argument<string>("operation") { Description = "the name of the operation, as run --json and the server tell it", HelpName = "OPERATION" };
        var verb = new Command("cancel", "Cancels an operation.") { operation };
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            var format = cli.Output.Of(parsed);
            string name = parsed.GetValue(operation)!; // required
            using var remote = cli.Server.Connect(parsed);
            await new Operations.OperationsClient(remote.Channel.CreateCallInvoker())
                .CancelOperationAsync(new CancelOperationRequest { Name = name }, new CallOptions(cancellationToken: cancellationToken));
            if (format == OutputFormat.Text) cli.Console.Progress($"cancelled {name}");
            else cli.Console.Write(Report.Of(format, new JsonObject { ["operation"] = name, ["cancelled"] = true }));
            return ExitCode.Done;
        });
        return verb;
    }
}
