using RemoteExec.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Assets;

/// <summary>
/// Subresource integrity (W3C SRI): hashes in words such as <c>sha256-BASE64</c>, of which one has to match (REAPI S2). Words of functions
/// that are not known say nothing, as browsers have it, unless there is no other.
/// </summary>
public sealed class Integrity
{
    private const int WordsMax = 32;

    private static readonly Dictionary<string, DigestFunction> Words = new(StringComparer.Ordinal)
    {
        ["sha256"] = DigestFunction.Sha256,
        ["sha384"] = DigestFunction.Sha384,
        ["sha512"] = DigestFunction.Sha512,
        ["blake3"] = DigestFunction.Blake3,
    };

    private readonly List<(DigestFunction Function, string Hash)> _accepted = [];

    private Integrity()
    {
    }

    /// <summary>Each that has to be computed, once.</summary>
    internal IEnumerable<DigestFunction> Functions => _accepted.Select(each => each.Function).Distinct();

    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT.</exception>
    public static Integrity Parse(string text)
    {
        var words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (words.Length is 0 or > WordsMax) throw RpcErrors.InvalidField("qualifiers.value", $"checksum.sri has {words.Length} checksums, from 1 to {WordsMax} are taken");

        var integrity = new Integrity();
        foreach (string word in words)
        {
            // An option may follow (SRI 3.5): sha256-BASE64?option.
            if (word.Split('?', 2)[0].Split('-', 2) is not [var name, var base64] || !Words.TryGetValue(name, out var function)) continue;

            byte[] hash = new byte[DigestFunctions.HashBytesMax + 3];
            if (!Convert.TryFromBase64String(base64, hash, out int bytes) || bytes != function.HashBytes())
                throw RpcErrors.InvalidField("qualifiers.value", $"checksum.sri: {PrintableText.Quote(word, 128)} is not {name} in base64");
            integrity._accepted.Add((function, Convert.ToHexStringLower(hash.AsSpan(0, bytes))));
        }

        return integrity._accepted.Count > 0
            ? integrity
            : throw RpcErrors.InvalidField("qualifiers.value", $"checksum.sri: {PrintableText.Quote(text, 128)} names no function that is known here ({string.Join(", ", Words.Keys)})");
    }

    internal bool Accepts(IEnumerable<Digest> seen) => seen.Any(digest => _accepted.Contains((digest.Function, digest.Hash)));
}
