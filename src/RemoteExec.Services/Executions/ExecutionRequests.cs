using System.Text;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Scheduling;

namespace RemoteExec.Services;

/// <summary>What the queue is told of an admitted action.</summary>
internal static class ExecutionRequests
{
    // A command line for people to recognise; the whole one is in the Command.
    private const int CommandLineBytesMax = 512;

    public static ExecutionRequest Of(InstanceName instance, AdmittedAction admitted, TimeSpan timeoutDefault) => new()
    {
        Instance = instance,
        Action = admitted.Action.Digest,
        Platform = admitted.Platform,
        Timeout = admitted.Action.Timeout ?? timeoutDefault,
        DoNotCache = admitted.Action.DoNotCache,
        CommandLine = CommandLine(admitted.Command),
    };

    private static string CommandLine(CommandSpec command)
    {
        // Of a hundred thousand arguments only as many as can be seen.
        var line = new StringBuilder();
        foreach (string argument in command.Arguments)
        {
            if (line.Length > 0) line.Append(' ');
            line.Append(argument.AsSpan(0, Math.Min(argument.Length, CommandLineBytesMax + 1)));
            if (line.Length > CommandLineBytesMax) break;
        }

        return PrintableText.Blank(line.ToString(), CommandLineBytesMax);
    }
}
