namespace RemoteExec.Protocol;

/// <summary>
/// What a node has beside its content and is known here, by the names of NodeProperties' fields: made of inputs, and told of outputs that ask for
/// it (REAPI X12, X13). Other properties are passed on, and change nothing.
/// </summary>
public static class NodePropertyNames
{
    public const string Mtime = "mtime";
    public const string UnixMode = "unix_mode";

    public static IReadOnlyList<string> All { get; } = [Mtime, UnixMode];
}
