namespace RemoteExec.Conformance;

/// <summary>One call of a fuzzer.</summary>
/// <param name="IsFramed">Frames are what gRPC asks for; messages and contents may be wrong.</param>
/// <param name="Blobs">Stored before: what the call names, and what is wrong with it.</param>
internal sealed record FuzzCase(FuzzMethod Method, byte[] Body, bool IsFramed, IReadOnlyList<byte[]> Blobs);
