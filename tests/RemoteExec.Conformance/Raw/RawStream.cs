using System.Buffers.Binary;

namespace RemoteExec.Conformance;

/// <summary>The answers of one call, message by message. Who disposes of it before its end cancels the call: RST_STREAM with CANCEL.</summary>
internal sealed class RawStream(HttpResponseMessage answer, Stream body, TimeSpan answerWithin) : IDisposable
{
    /// <summary>Null behind the last.</summary>
    /// <exception cref="IOException">The connection is lost, or the stream was reset.</exception>
    public async Task<RawFields?> NextAsync()
    {
        using var patience = new CancellationTokenSource(answerWithin);
        byte[] prefix = new byte[RawClient.PrefixBytes];
        int read = await body.ReadAtLeastAsync(prefix, prefix.Length, throwOnEndOfStream: false, patience.Token);
        if (read == 0) return null;
        if (read < prefix.Length) throw new EndOfStreamException($"{read} bytes of a frame");

        byte[] message = new byte[BinaryPrimitives.ReadInt32BigEndian(prefix.AsSpan(1))];
        await body.ReadExactlyAsync(message, patience.Token);
        return RawFields.Parse(message);
    }

    /// <summary>What is left of it, to its end.</summary>
    public async Task<(RawAnswer End, IReadOnlyList<RawFields> Messages)> ReadToEndAsync()
    {
        var messages = new List<RawFields>();
        while (await NextAsync() is { } message) messages.Add(message);
        return (RawAnswer.Of(answer, []), messages);
    }

    public void Dispose()
    {
        body.Dispose();
        answer.Dispose();
    }
}
