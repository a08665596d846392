using System.Runtime.InteropServices;

namespace RemoteExec.Files;

/// <summary>How a file is opened (open(2)); close-on-exec goes without saying.</summary>
[Flags]
public enum OpenFlags
{
    Read = 0,
    ReadWrite = 2,
    Create = 0x40,

    /// <summary>What is there already is not taken.</summary>
    Exclusive = 0x80,

    /// <summary>Opening a fifo does not wait for its other end.</summary>
    NonBlocking = 0x800,

    CloseOnExec = 0x80000,

    /// <summary>A place, not its content.</summary>
    Path = 0x200000,

    // The two whose value is not everywhere the same are out of the kernel's reach; Native() translates them.
    Directory = 1 << 28,
    NoFollow = 1 << 29,
}

internal static class OpenFlagsExtensions
{
    private static readonly bool IsArm64 = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    // arm64 inherits arm's values for these two (asm/fcntl.h), all others are asm-generic.
    public static int Native(this OpenFlags flags)
    {
        int native = (int)(flags & ~(OpenFlags.Directory | OpenFlags.NoFollow) | OpenFlags.CloseOnExec);
        if (flags.HasFlag(OpenFlags.Directory)) native |= IsArm64 ? 0x4000 : 0x10000;
        if (flags.HasFlag(OpenFlags.NoFollow)) native |= IsArm64 ? 0x8000 : 0x20000;
        return native;
    }
}
