using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>A verified file on its way to becoming a blob.</summary>
/// <param name="Digest">What it was checked to be.</param>
/// <param name="File">Open, mode and owner final.</param>
/// <param name="TempName">Its name to rename; null for a file that was given to us, which is linked.</param>
/// <param name="IsFlushed">Its bytes are on disk already.</param>
/// <param name="FrameBytes">The size of a file that is a zstd frame; 0 for one that is the blob.</param>
internal sealed record PendingCommit(Digest Digest, SafeFileHandle File, string? TempName, bool IsFlushed, long FrameBytes = 0)
{
    private readonly TaskCompletionSource<PublishResult> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<PublishResult> Done => _done.Task;

    public void Complete(PublishResult result) => _done.TrySetResult(result);

    public void Fail(Exception failure) => _done.TrySetException(failure);
}

internal enum PublishResult
{
    /// <summary>This file became the blob; the reservation was spent.</summary>
    Published,

    /// <summary>The blob was there already; reservation and temp are still the caller's to return.</summary>
    AlreadyPresent,

    /// <summary>The file cannot be linked into the store: copy it.</summary>
    CannotLink,
}
