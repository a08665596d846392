namespace RemoteExec.Services;

/// <summary>What is known of a stream that is still written.</summary>
/// <param name="Newest">What is kept of its end, when that does not follow <paramref name="Head"/>; otherwise empty.</param>
/// <param name="LengthBytes">All that was written so far.</param>
public readonly record struct LogSoFar(ReadOnlyMemory<byte> Head, ReadOnlyMemory<byte> Newest, long LengthBytes);
