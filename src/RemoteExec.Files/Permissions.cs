namespace RemoteExec.Files;

/// <summary>Rights in the octal digits that everybody knows them by (chmod(1)), which the language has no literals for.</summary>
public static class Permissions
{
    /// <summary>What of a mode is rights, without those to become another (set-user-ID and the like) and without the kind of file.</summary>
    public const uint Rights = (7 << 6) | (7 << 3) | 7;

    /// <summary>Anybody's right to execute.</summary>
    public const uint Octal0111 = (1 << 6) | (1 << 3) | 1;

    /// <summary>Everybody reads, nobody writes.</summary>
    public const uint Octal0444 = (4 << 6) | (4 << 3) | 4;

    /// <summary>Everybody reads and executes, nobody writes.</summary>
    public const uint Octal0555 = (5 << 6) | (5 << 3) | 5;

    /// <summary>A file of its owner's.</summary>
    public const uint Octal0600 = 6 << 6;

    /// <summary>A directory of its owner's.</summary>
    public const uint Octal0700 = 7 << 6;

    /// <summary>A directory that everybody may enter.</summary>
    public const uint Octal0755 = (7 << 6) | (5 << 3) | 5;
}
