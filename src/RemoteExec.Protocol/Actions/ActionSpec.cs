using Google.Protobuf.WellKnownTypes;

namespace RemoteExec.Protocol;

/// <summary>An Action that passed the door: digests whole, timeout checked.</summary>
public sealed class ActionSpec
{
    /// <summary>An Action is two digests, a salt and a platform. What is bigger is something else (REAPI, TRUST 4.1).</summary>
    public const int BlobBytesMax = 1024 * 1024;

    // google.protobuf.Duration: ten thousand years, and less than a second of nanoseconds.
    private const long DurationSecondsMax = 315_576_000_000;
    private const int NanosecondsMax = 999_999_999;

    private ActionSpec(WireAction message, Digest digest, Digest command, Digest inputRoot, TimeSpan? timeout) =>
        (Message, Digest, Command, InputRoot, Timeout) = (message, digest, command, inputRoot, timeout);

    /// <summary>As the client stored it; for what needs no normalising.</summary>
    public WireAction Message { get; }

    public Digest Digest { get; }

    public Digest Command { get; }

    public Digest InputRoot { get; }

    /// <summary>Null when the server chooses.</summary>
    public TimeSpan? Timeout { get; }

    public bool DoNotCache => Message.DoNotCache;

    /// <summary>Reads an Action blob; whatever is wrong with it is INVALID_ARGUMENT (REAPI E3, X1).</summary>
    public static ActionSpec Parse(ReadOnlyMemory<byte> blob, Digest digest, TimeSpan timeoutMax)
    {
        var message = WireMessages.Parse(WireAction.Parser, blob, digest);
        string? error = CheckTimeout(message.Timeout, timeoutMax, out var timeout);
        if (error is not null) throw RpcErrors.Invalid($"action {digest}: {error}");

        // REAPI D5: the action and all it refers to use one function.
        var function = digest.Function;
        return new ActionSpec(
            message, digest,
            command: WireDigests.FromWire(message.CommandDigest, function, "action.command_digest"),
            inputRoot: WireDigests.FromWire(message.InputRootDigest, function, "action.input_root_digest"),
            timeout);
    }

    /// <summary>The platform of the Action, or of the Command when that one is empty (REAPI X15): clients before 2.2 fill only the latter.</summary>
    public Platform PlatformWith(CommandSpec command)
    {
#pragma warning disable CS0612 // Command.platform is deprecated on the wire and alive in clients.
        var wire = Message.Platform is { Properties.Count: > 0 } own ? own : command.Message.Platform;
#pragma warning restore CS0612
        if (wire is null) return Platform.Empty;

        var properties = wire.Properties.Select(property => new PlatformProperty(property.Name, property.Value));
        return Platform.TryCreate(properties, out var platform, out string? error)
            ? platform
            : throw RpcErrors.Invalid($"action {Digest}: {error}");
    }

    private static string? CheckTimeout(Duration? wire, TimeSpan timeoutMax, out TimeSpan? timeout)
    {
        timeout = null;
        if (wire is null) return null;
        // Duration's own conversion throws on what it does not like; a client's mistake is answered, not thrown.
        if (wire.Seconds is < 0 or > DurationSecondsMax || wire.Nanos is < 0 or > NanosecondsMax)
            return "its timeout is negative or not a duration";
        // Refused, not clamped (REAPI X1): a test that needs two hours must not be cut at one.
        if (wire.Seconds > (long)timeoutMax.TotalSeconds || wire.ToTimeSpan() > timeoutMax)
            return $"its timeout is {wire.Seconds} s, at most {timeoutMax.TotalSeconds:0} s are allowed";

        // A timeout of zero is how some clients write "none".
        timeout = wire.ToTimeSpan() is var given && given > TimeSpan.Zero ? given : null;
        return null;
    }
}
