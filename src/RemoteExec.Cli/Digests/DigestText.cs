using System.Globalization;
using System.Text.RegularExpressions;
using RemoteExec.Client;

namespace RemoteExec.Cli;

/// <summary>
/// Digests as people paste them: <c>HASH/SIZE</c>, <c>HASH:SIZE</c> or <c>HASH-SIZE</c>, with the function before it where the length of
/// the hash does not tell it (<c>blake3/HASH/SIZE</c>), inside an address (<c>bytestream://…/blobs/…</c>, <c>http://…/action/…</c>), or
/// the first letters of a hash.
/// </summary>
/// <param name="Hash">Lower case; whole when there is a size.</param>
/// <param name="Exact">Null when the size is not known.</param>
internal sealed partial record DigestText(string Hash, Digest? Exact)
{
    // Fewer letters are as likely a word; git asks for as many.
    private const int PrefixMin = 6;

    private const string Form = "write HASH/SIZE as rexec put prints it, HASH:SIZE, or the first letters of the hash of a recent action";

    public static DigestText Parse(string text)
    {
        string word = text.Trim().Trim('\'', '"');
        if (Whole().Match(word) is { Success: true } whole) return OfWhole(text, whole);
        return Prefix().Match(word) is { Success: true } prefix && prefix.Length >= PrefixMin
            ? new DigestText(prefix.Value.ToLowerInvariant(), Exact: null)
            : throw new ClientException($"{text} is not a digest; {Form}");
    }

    private static DigestText OfWhole(string text, Match whole)
    {
        string hash = whole.Groups["hash"].Value.ToLowerInvariant();
        if (!long.TryParse(whole.Groups["size"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out long size))
            throw new ClientException($"{text} is not a digest: nothing is that large");
        if (!DigestFunctions.TryFromWireName(whole.Groups["function"].Value.ToLowerInvariant(), out var function) && !TryInfer(hash, size, out function))
            throw new ClientException($"{text} is not a digest: no hash has {hash.Length} letters; {Form}");
        return Digest.TryParse(function, hash, size, out var digest, out string? error)
            ? new DigestText(hash, digest)
            : throw new ClientException($"{text} is not a digest: {error}");
    }

    // Only of the empty blob is it known whose 64 letters they are.
    private static bool TryInfer(string hash, long size, out DigestFunction function)
    {
        if (size == 0 && hash == Digest.Empty(DigestFunction.Blake3).Hash)
        {
            function = DigestFunction.Blake3;
            return true;
        }

        return DigestFunctions.TryInfer(hash.Length, unnamed: default, out function);
    }

    // Whatever stands before the hash, where it is a function: in an address it is another part of the path.
    [GeneratedRegex(@"(^|[/:])((?<function>[0-9a-zA-Z]+)[/:])?(?<hash>[0-9a-fA-F]{32,128})[/:-](?<size>[0-9]+)(/|$)")]
    private static partial Regex Whole();

    [GeneratedRegex("^[0-9a-fA-F]{1,128}$")]
    private static partial Regex Prefix();
}
