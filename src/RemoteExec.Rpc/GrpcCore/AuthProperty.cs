namespace Grpc.Core;

/// <summary>One fact about the peer that the transport has verified.</summary>
public sealed record AuthProperty(string Name, string Value);
