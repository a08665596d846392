using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>A blob's bytes, from a segment, or else one of its files, or both that can be: the plain one, and a zstd frame.</summary>
internal sealed record OpenedBlob(byte[]? Data, SafeFileHandle? File, SafeFileHandle? Frame, long FrameBytes) : IDisposable
{
    public void Dispose()
    {
        File?.Dispose();
        Frame?.Dispose();
    }
}
