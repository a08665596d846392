namespace RemoteExec.Core;

/// <summary>
/// The hash functions this project computes, under REAPI's own numbers (DigestFunction.Value), so that
/// a value crosses the wire by a cast. VSO (4) and MURMUR3 (7), which is no safe name for anything, are not here:
/// a function we cannot compute must never be announced, and <see cref="DigestFunctions.TryFromNumber"/> refuses it.
/// </summary>
// A byte: it travels in every digest. No zero: UNKNOWN is the absence of a function, not one of them.
#pragma warning disable CA1008, CA1028
public enum DigestFunction : byte
#pragma warning restore CA1008, CA1028
{
    Sha256 = 1,
    Sha1 = 2,
    Md5 = 3,
    Sha384 = 5,
    Sha512 = 6,
    Sha256Tree = 8,
    Blake3 = 9,
    GitSha1 = 10,
}
