namespace RemoteExec.Files;

/// <summary>How a path may lead to what is opened (openat2(2)).</summary>
[Flags]
public enum Resolve
{
    NoMagicLinks = 0x02,
    NoSymlinks = 0x04,

    /// <summary>Never out of the directory that it starts from.</summary>
    Beneath = 0x08,
}
