using RemoteExec.Client;

namespace RemoteExec.Cli;

/// <summary>Digests as people paste them: <c>HASH/SIZE</c>, <c>blake3/HASH/SIZE</c>, or a whole <c>bytestream://…/blobs/…</c> address.</summary>
internal static class DigestText
{
    public static Digest Parse(string text)
    {
        string[] parts = text.Split('/');
        string form = $"{text} is not a digest; write HASH/SIZE as rexec put prints it";
        if (parts.Length < 2 || !long.TryParse(parts[^1], out long size))
            throw new ClientException(form);

        string hash = parts[^2];
        bool isNamed = parts.Length > 2 && DigestFunctions.TryFromWireName(parts[^3], out _);
        if (!(isNamed ? DigestFunctions.TryFromWireName(parts[^3], out var function) : DigestFunctions.TryInfer(hash.Length, out function)))
            throw new ClientException(form);
        return Digest.TryParse(function, hash, size, out var digest, out string? error)
            ? digest
            : throw new ClientException($"{text} is not a digest: {error}");
    }
}
