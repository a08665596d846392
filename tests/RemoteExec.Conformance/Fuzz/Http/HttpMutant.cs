using System.Text;

namespace RemoteExec.Conformance;

/// <summary>A request of HTTP/1.1, as its bytes are sent.</summary>
/// <param name="Name">The route that it was made of.</param>
/// <param name="Host">Whom it names: HOST:PORT.</param>
/// <param name="Head">The request line and headers, with the empty line behind them.</param>
internal sealed record HttpMutant(string Name, string Host, byte[] Head, byte[] Body, HttpWholeness Wholeness)
{
    // A server that closes a connection over bytes that it did not read may take its own answer back by that. It reads as much as this at once.
    private const int ReadAtOnce = 4 << 10;

    public byte[] Bytes => [.. Head, .. Body];

    /// <summary>It is told what becomes of it.</summary>
    public bool IsAnswered => Wholeness == HttpWholeness.Whole && Head.Length + Body.Length <= ReadAtOnce;

    /// <summary>The same for another server: one that is on loopback answers to nobody who calls it otherwise.</summary>
    public HttpMutant For(string host) => this with
    {
        Host = host, Head = Encoding.Latin1.GetBytes(Encoding.Latin1.GetString(Head).Replace(Host, host, StringComparison.Ordinal)),
    };

    public override string ToString() => $"{Name}: {Convert.ToBase64String(Bytes.AsSpan(0, Math.Min(Bytes.Length, 3000)))} ({Encoding.Latin1.GetString(Head.AsSpan(0, Math.Min(Head.Length, 100)))})";
}
