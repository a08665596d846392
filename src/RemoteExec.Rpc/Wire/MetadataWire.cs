using System.Diagnostics.CodeAnalysis;
using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>Metadata to header values and back.</summary>
internal static class MetadataWire
{
    /// <summary>
    /// Adds what a peer sent. Values of a <c>-bin</c> header may have been joined with commas on the way, and
    /// may or may not be padded (gRPC over HTTP/2, "Custom-Metadata"): both are accepted.
    /// </summary>
    public static void AddReceived(Metadata metadata, string name, string? value)
    {
        name = name.ToLowerInvariant(); // HTTP/2 sends lower case; the header tables of .NET restore theirs
        if (value is null || WireNames.IsReserved(name)) return;
        if (!name.EndsWith(Metadata.BinaryHeaderSuffix, StringComparison.Ordinal))
        {
            metadata.Add(Metadata.Entry.Received(name, value));
            return;
        }

        foreach (var part in value.AsSpan().Split(','))
            metadata.Add(new Metadata.Entry(name, FromBase64(name, value.AsSpan()[part].Trim())));
    }

    /// <summary>
    /// False for what is left out: names that are not metadata, and a received value that is passed on although it
    /// is no printable ASCII. It would spoil the whole header block.
    /// </summary>
    public static bool TryToHeaderValue(Metadata.Entry entry, [NotNullWhen(true)] out string? value)
    {
        value = entry.IsBinary ? Convert.ToBase64String(entry.ValueBytes).TrimEnd('=') : entry.Value;
        return !WireNames.IsReserved(entry.Key) && !value.AsSpan().ContainsAnyExceptInRange(' ', '~');
    }

    private static byte[] FromBase64(string name, ReadOnlySpan<char> text)
    {
        Span<char> padded = new char[(text.Length + 3) / 4 * 4];
        padded.Fill('=');
        text.CopyTo(padded);
        var bytes = new byte[padded.Length / 4 * 3];
        if (!Convert.TryFromBase64Chars(padded, bytes, out int count))
            throw new RpcException(new Status(StatusCode.Internal, $"header {name} is not base64"));
        return bytes.AsSpan(0, count).ToArray();
    }
}
