using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using RemoteExec.Protocol;

namespace RemoteExec.Client;

/// <summary>A command and its inputs as the blobs that REAPI wants: Command, Action, tree.</summary>
public sealed record PreparedAction(Digest Action, InputTree Inputs, IReadOnlyList<LocalBlob> Blobs)
{
    public static PreparedAction Create(RemoteCommand command, InputTree inputs)
    {
        var function = inputs.Root.Function;
        var platform = Platform(command);
        var wireCommand = new WireCommand { WorkingDirectory = command.WorkingDirectory };
        wireCommand.Arguments.Add(command.Arguments);
        wireCommand.OutputPaths.Add(command.OutputPaths.Order(StringComparer.Ordinal));
        wireCommand.EnvironmentVariables.Add(command.Environment.OrderBy(v => v.Key, StringComparer.Ordinal)
            .Select(v => new WireCommand.Types.EnvironmentVariable { Name = v.Key, Value = v.Value }));
        var commandBlob = LocalBlob.OfBytes(function, wireCommand.ToByteArray());

        var action = new WireAction
        {
            CommandDigest = commandBlob.Digest.ToWire(),
            InputRootDigest = inputs.Root.ToWire(),
            DoNotCache = command.DoNotCache,
            Platform = platform,
            Salt = UnsafeByteOperations.UnsafeWrap(command.Salt),
        };
        if (command.Timeout is { } timeout)
            action.Timeout = Duration.FromTimeSpan(timeout);
        var actionBlob = LocalBlob.OfBytes(function, action.ToByteArray());

        return new PreparedAction(actionBlob.Digest, inputs, [.. inputs.Blobs, commandBlob, actionBlob]);
    }

    // Sorted by name, then value (REAPI Platform).
    private static WirePlatform Platform(RemoteCommand command) => new()
    {
        Properties =
        {
            command.Platform.OrderBy(p => p.Key, StringComparer.Ordinal).ThenBy(p => p.Value, StringComparer.Ordinal)
                .Select(p => new WirePlatform.Types.Property { Name = p.Key, Value = p.Value }),
        },
    };
}
