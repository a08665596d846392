using System.Diagnostics.CodeAnalysis;

namespace RemoteExec.Protocol;

/// <summary>Digests between the wire and the domain. On the wire a digest has lost its function; here it gets it back.</summary>
public static class WireDigests
{
    public static WireDigest ToWire(this Digest digest) => new() { Hash = digest.Hash, SizeBytes = digest.SizeBytes };

    /// <summary>The enum values are REAPI's own numbers.</summary>
    public static WireDigestFunction ToWire(this DigestFunction function) => (WireDigestFunction)(int)function;

    public static bool TryFromWire(
        WireDigest? wire, DigestFunction function, out Digest digest, [NotNullWhen(false)] out string? error)
    {
        if (wire is not null) return Digest.TryParse(function, wire.Hash, wire.SizeBytes, out digest, out error);

        digest = default;
        error = "it is not set";
        return false;
    }

    /// <summary>Takes a digest from a request; what is wrong with it is INVALID_ARGUMENT and names the field.</summary>
    public static Digest FromWire(WireDigest? wire, DigestFunction function, string field) =>
        TryFromWire(wire, function, out var digest, out string? error)
            ? digest
            : throw RpcErrors.InvalidField(field, $"{field}: {error}");

    /// <summary>
    /// The function of a request (REAPI, digest_function): the one it names, otherwise inferred from the length of
    /// one of its hashes.
    /// </summary>
    /// <param name="unnamed">See <see cref="DigestFunctions.TryInfer"/>.</param>
    public static DigestFunction FunctionOf(WireDigestFunction named, WireDigest? sample, DigestFunction unnamed)
    {
        if (named != WireDigestFunction.Unknown)
        {
            return DigestFunctions.TryFromNumber((int)named, out var function)
                ? function
                : throw RpcErrors.InvalidField("digest_function", $"digest function {Name(named)} is not supported");
        }

        // A request without a single digest asks nothing that depends on the function.
        if (sample is null) return unnamed == default ? DigestFunction.Sha256 : unnamed;

        return DigestFunctions.TryInfer(sample.Hash.Length, unnamed, out var inferred)
            ? inferred
            : throw RpcErrors.InvalidField(
                "digest_function", $"digest_function is not set, and no function has hashes of {sample.Hash.Length} characters");
    }

    private static string Name(WireDigestFunction function) =>
        Enum.IsDefined(function) ? function.ToString().ToUpperInvariant() : $"number {(int)function}";
}
