using Google.Protobuf;

namespace RemoteExec.Protocol;

/// <summary>Reads messages that clients stored as blobs. Such bytes are an outsider's, whatever their digest promised.</summary>
public static class WireMessages
{
    /// <summary>Parses a blob; bytes that are no such message are INVALID_ARGUMENT.</summary>
    public static T Parse<T>(MessageParser<T> parser, ReadOnlyMemory<byte> blob, Digest digest)
        where T : IMessage<T>
    {
        T message;
        try
        {
            message = parser.ParseFrom(blob.Span);
        }
        catch (InvalidProtocolBufferException broken)
        {
            throw RpcErrors.Invalid($"blob {digest} is not a {typeof(T).Name}: {broken.Message}");
        }

        return HasReplacedText(message, blob.Span)
            ? throw RpcErrors.Invalid($"blob {digest} is not a {typeof(T).Name}: it has text that is not UTF-8")
            : message;
    }

    /// <summary>The parser turns broken UTF-8 into U+FFFD, and under that name the text would reach the disk.</summary>
    private static bool HasReplacedText<T>(T message, ReadOnlySpan<byte> blob)
        where T : IMessage<T>
    {
        // One or two broken bytes grow to the three of U+FFFD. Only a cut sequence of four keeps its length.
        if (message.CalculateSize() > blob.Length) return true;
        return blob.ContainsAnyInRange<byte>(0xF0, 0xF4)
            && message.ToByteArray().AsSpan().Count(Replacement) > blob.Count(Replacement);
    }

    private static ReadOnlySpan<byte> Replacement => "\uFFFD"u8;
}
