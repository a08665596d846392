using Build.Bazel.Remote.Asset.v1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using RemoteExec.Assets;
using RemoteExec.Protocol;

namespace RemoteExec.Services;

/// <summary>Remote Asset between the wire and the domain.</summary>
internal static class AssetMessages
{
    /// <exception cref="RpcException">INVALID_ARGUMENT, with the field.</exception>
    public static AssetRequest ToDomain(
        AssetKind kind, string instance, DigestFunction function, IReadOnlyList<string> uris, IReadOnlyList<Qualifier> qualifiers, Duration? timeout, Timestamp? oldest)
    {
        var parsed = AssetUris.Parse(uris);
        return new AssetRequest(
            kind, Door.Instance(instance), function, parsed, FetchQualifiers.Parse(qualifiers, kind, parsed),
            TimeoutOf(timeout), TimeOf(oldest, "oldest_content_accepted"));
    }

    public static RpcStatus StatusOf(AssetAnswer answer) => answer.Failure?.ToStatus() ?? new RpcStatus();

    public static DateTimeOffset? TimeOf(Timestamp? wire, string field)
    {
        if (wire is null) return null;
        try
        {
            return wire.ToDateTimeOffset();
        }
        catch (InvalidOperationException)
        {
            throw RpcErrors.InvalidField(field, $"{field} is no time between the years 1 and 9999");
        }
    }

    private static TimeSpan? TimeoutOf(Duration? wire)
    {
        if (wire is null) return null;
        try
        {
            return wire.ToTimeSpan() is var timeout && timeout > TimeSpan.Zero ? timeout : throw RpcErrors.InvalidField("timeout", "timeout is not positive");
        }
        catch (InvalidOperationException)
        {
            throw RpcErrors.InvalidField("timeout", "timeout is no duration");
        }
    }
}
