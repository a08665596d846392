using System.Runtime.InteropServices;

namespace RemoteExec.Files;

/// <summary>Why the kernel refused (errno(3)): the numbers, which are Linux's on x86-64 and arm64 alike, and what they mean to us.</summary>
/// <remarks>The base library puts the same numbers into <see cref="Exception.HResult"/> of an <see cref="IOException"/>.</remarks>
public static class Errno
{
    public const int EPERM = 1;
    public const int ENOENT = 2;
    public const int EINTR = 4;
    public const int EIO = 5;
    public const int EAGAIN = 11; // also EWOULDBLOCK: somebody else holds the lock
    public const int EACCES = 13;
    public const int EEXIST = 17;
    public const int EXDEV = 18;
    public const int ENOTDIR = 20;
    public const int EISDIR = 21;
    public const int EINVAL = 22;
    public const int ENFILE = 23;
    public const int EMFILE = 24;
    public const int ENOSPC = 28;
    public const int EROFS = 30;
    public const int EMLINK = 31;
    public const int ENAMETOOLONG = 36;
    public const int ENOSYS = 38;
    public const int ELOOP = 40;
    public const int ENODATA = 61;
    public const int EBADMSG = 74;
    public const int EOPNOTSUPP = 95;
    public const int ESTALE = 116;
    public const int EUCLEAN = 117;
    public const int EREMOTEIO = 121;
    public const int EDQUOT = 122;

    private const int ErrorDiskFull = unchecked((int)0x80070070); // HRESULT, where there is no errno

    /// <summary>In the kernel's own words.</summary>
    public static string Sentence(int errno) => Marshal.GetPInvokeErrorMessage(errno);

    /// <summary>The words, and the number to search for.</summary>
    public static string Describe(int errno) => $"{Sentence(errno)} (errno {errno})";

    /// <summary>What "the disk is full" is: no blocks, no inodes, or no quota.</summary>
    public static bool IsOutOfRoom(int errno) => errno is ENOSPC or EDQUOT or ErrorDiskFull;

    public static bool IsOutOfRoom(Exception failure) => failure is IOException && IsOutOfRoom(failure.HResult);

    /// <summary>What a disk says of a file that it cannot give back any more: bad sectors, and metadata that fails its checksum.</summary>
    public static bool IsUnreadable(int errno) => errno is EIO or ENODATA or EBADMSG or ESTALE or EUCLEAN or EREMOTEIO;

    internal static int OfLastCall(int result) => result >= 0 ? 0 : Marshal.GetLastPInvokeError();
}
