namespace RemoteExec.Storage;

/// <summary>What statx(2) says about an open file.</summary>
internal readonly record struct FileFacts(uint Links, uint User, ushort Mode, long SizeBytes, uint DeviceMajor, uint DeviceMinor)
{
    private const int S_IFMT = 0xF000;
    private const int S_IFREG = 0x8000;

    public bool IsRegular => (Mode & S_IFMT) == S_IFREG;

    public bool IsOnDeviceOf(in FileFacts other) => DeviceMajor == other.DeviceMajor && DeviceMinor == other.DeviceMinor;
}
