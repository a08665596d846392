namespace RemoteExec.Assets;

/// <summary>A directory of an archive: entries by name.</summary>
internal sealed class UnpackedDirectory
{
    public Dictionary<string, object> Entries { get; } = new(StringComparer.Ordinal);
}

/// <summary>A file of an archive, in the store already.</summary>
internal sealed record UnpackedFile(Digest Digest, bool IsExecutable);

/// <summary>A symbolic link of an archive.</summary>
internal sealed record UnpackedSymlink(string Target);
