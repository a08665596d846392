namespace RemoteExec.Conformance;

/// <summary>One call of a fuzzer.</summary>
/// <param name="IsReadable">Frames and messages are what gRPC and protobuf ask for; only their contents may be wrong.</param>
/// <param name="Blobs">Stored before: what the call names, and what is wrong with it.</param>
internal sealed record FuzzCase(FuzzMethod Method, byte[] Body, bool IsReadable, IReadOnlyList<byte[]> Blobs);
