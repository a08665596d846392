using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace RemoteExec.Core;

/// <summary>What REAPI says about each hash function: its length, its name, and where that name is written.</summary>
public static class DigestFunctions
{
    /// <summary>The longest hash of any function, in bytes (SHA-512).</summary>
    public const int HashBytesMax = 64;

    /// <summary>Every function we compute, in the order in which capabilities list them: the default first.</summary>
    public static IReadOnlyList<DigestFunction> Supported { get; } =
    [
        DigestFunction.Sha256, DigestFunction.Blake3, DigestFunction.Sha1,
        DigestFunction.Md5, DigestFunction.Sha384, DigestFunction.Sha512, DigestFunction.Sha256Tree, DigestFunction.GitSha1,
    ];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int HashBytes(this DigestFunction function) => function switch
    {
        DigestFunction.Sha256 or DigestFunction.Blake3 or DigestFunction.Sha256Tree => 32, // nearly all
        _ => OtherHashBytes(function),
    };

    private static int OtherHashBytes(DigestFunction function) => function switch
    {
        DigestFunction.Md5 => 16,
        DigestFunction.Sha1 or DigestFunction.GitSha1 => 20,
        DigestFunction.Sha384 => 48,
        DigestFunction.Sha512 => 64,
        _ => throw new UnreachableException($"digest function {(int)function} was never validated"),
    };

    /// <summary>The lower-case enum name, as resource names spell it.</summary>
    public static string WireName(this DigestFunction function) => function switch
    {
        DigestFunction.Md5 => "md5",
        DigestFunction.Sha1 => "sha1",
        DigestFunction.Sha256 => "sha256",
        DigestFunction.Blake3 => "blake3",
        DigestFunction.Sha384 => "sha384",
        DigestFunction.Sha512 => "sha512",
        DigestFunction.Sha256Tree => "sha256tree",
        DigestFunction.GitSha1 => "gitsha1",
        _ => throw new UnreachableException($"digest function {(int)function} was never validated"),
    };

    /// <summary>
    /// Whether resource names carry the function. REAPI leaves it out for the functions that a hash's length
    /// tells apart; those that have the length of another must be named.
    /// </summary>
    public static bool IsNamedInResources(this DigestFunction function) =>
        function is DigestFunction.Blake3 or DigestFunction.Sha256Tree or DigestFunction.GitSha1;

    /// <summary>
    /// Infers an unset <c>digest_function</c> from the length of a hash (REAPI, ExecuteRequest.digest_function).
    /// Never BLAKE3, SHA256TREE or GITSHA1: a client has to name them.
    /// </summary>
    /// <param name="unnamed">Which one is meant, where a farm's clients hash with another and never say so; <c>default</c> is REAPI's rule alone.</param>
    public static bool TryInfer(int hexLength, DigestFunction unnamed, out DigestFunction function)
    {
        if (unnamed != default && unnamed.HashBytes() * 2 == hexLength)
        {
            function = unnamed;
            return true;
        }

        function = hexLength switch
        {
            32 => DigestFunction.Md5,
            40 => DigestFunction.Sha1,
            64 => DigestFunction.Sha256,
            96 => DigestFunction.Sha384,
            128 => DigestFunction.Sha512,
            _ => default,
        };
        return function != default;
    }

    public static bool TryFromWireName(ReadOnlySpan<char> name, out DigestFunction function)
    {
        foreach (var candidate in Supported)
        {
            if (!name.SequenceEqual(candidate.WireName())) continue;

            function = candidate;
            return true;
        }

        function = default;
        return false;
    }

    /// <summary>Takes REAPI's enum number; false for UNKNOWN and for the functions that we do not compute.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryFromNumber(int number, out DigestFunction function)
    {
        // Not Enum.IsDefined, which is a search: this is asked for each record of a log.
        function = number switch
        {
            (int)DigestFunction.Sha256 or (int)DigestFunction.Sha1 or (int)DigestFunction.Md5 or (int)DigestFunction.Sha384 or (int)DigestFunction.Sha512
                or (int)DigestFunction.Sha256Tree or (int)DigestFunction.Blake3 or (int)DigestFunction.GitSha1 => (DigestFunction)number,
            _ => default,
        };
        return function != default;
    }
}
