using Google.Protobuf;
using RemoteExec.Protocol;

namespace RemoteExec.Conformance;

/// <summary>Bytes and their name.</summary>
internal sealed record Blob(byte[] Content, WireDigest Digest)
{
    public static Blob Of(byte[] content, DigestFunction function = DigestFunction.Sha256) =>
        new(content, RemoteExec.Core.Digest.Of(function, content).ToWire());

    public static Blob Of(IMessage message) => Of(message.ToByteArray());

    public int Size => Content.Length;
}
