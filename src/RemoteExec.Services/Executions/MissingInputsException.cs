using RemoteExec.Protocol;

namespace RemoteExec.Services;

/// <summary>Blobs that an action needs are not stored. Whoever answers the client decides where the list of them has room.</summary>
/// <param name="first">What the first of them is to the action, in words.</param>
/// <param name="found">Null unless action and command are there, and only inputs are not.</param>
internal sealed class MissingInputsException(IReadOnlyList<Digest> missing, string first, (ActionSpec Action, CommandSpec Command)? found)
    : Exception($"{missing.Count} blobs are missing, the first is {first}")
{
    public IReadOnlyList<Digest> Missing { get; } = missing;

    public string First { get; } = first;

    /// <summary>The action as it would be admitted with its inputs; null when action or command is among the missing.</summary>
    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT for a platform that cannot be.</exception>
    public AdmittedAction? Action => found is var (action, command) ? new AdmittedAction(action, command, action.PlatformWith(command)) : null;
}
