using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf.WellKnownTypes;
using RemoteExec.Protocol;

namespace RemoteExec.Worker;

/// <summary>What a file, folder or link had beside its content when it was found (REAPI X13).</summary>
internal readonly record struct NodeAttributes(long ModifiedSeconds, uint ModifiedNanoseconds, ushort Mode)
{
    // google.protobuf.Timestamp. A command may set its files to other times; those are not told.
    private const long SecondsMin = -62_135_596_800;
    private const long SecondsMax = 253_402_300_799;

    public static NodeAttributes Of(in FileStatus status) => new(status.Modified.Seconds, status.Modified.Nanoseconds, status.Mode);

    /// <summary>Those that the command asks for; null when it asks for none.</summary>
    public NodeProperties? ToWire(CommandSpec command)
    {
        if (!command.WantsMtime && !command.WantsUnixMode) return null;

        return new NodeProperties
        {
            Mtime = command.WantsMtime && ModifiedSeconds is >= SecondsMin and <= SecondsMax
                ? new Timestamp { Seconds = ModifiedSeconds, Nanos = (int)ModifiedNanoseconds }
                : null,
            UnixMode = command.WantsUnixMode ? Mode & Permissions.Rights : null,
        };
    }
}
