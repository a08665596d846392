namespace RemoteExec.Files;

/// <summary>What a directory entry is (inode(7)).</summary>
public enum FileKind
{
    Unknown,
    Regular,
    Directory,
    Symlink,
    Fifo,
    Socket,
    CharacterDevice,
    BlockDevice,
}
