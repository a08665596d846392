namespace RemoteExec.Web;

/// <summary>What a running command has written to one of its streams, as far as it is at hand.</summary>
/// <param name="Newest">The end, when it does not follow <paramref name="Head"/>; otherwise empty.</param>
/// <param name="LengthBytes">All that it has written.</param>
public readonly record struct OutputSoFar(ReadOnlyMemory<byte> Head, ReadOnlyMemory<byte> Newest, long LengthBytes);
