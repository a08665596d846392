namespace RemoteExec.Worker;

/// <summary>What a directory entry is (inode(7)).</summary>
internal enum FileKind
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
