using System.Collections.Concurrent;
using System.Diagnostics;
using Grpc.Core;
using Microsoft.Win32.SafeHandles;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Makes compressed blobs plain files besides, for those who read from their middle: once for all who ask at the same time, and by pieces.</summary>
internal sealed class PlainFiles(DiskBlobStore store) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<Digest, Task> _making = new();
    private readonly CancellationTokenSource _ending = new();

    /// <summary>Makes it one, if that can be: without room it stays as it is. Who leaves takes nobody along.</summary>
    public async ValueTask MakeAsync(Digest digest, CancellationToken cancellationToken)
    {
        var own = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var making = _making.GetOrAdd(digest, own.Task);
        if (making == own.Task) _ = LeadAsync(digest, own);
        await making.WaitAsync(cancellationToken);
    }

    /// <summary>Ends what is being made, within a piece of it.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await Task.WhenAll(_making.Values); // none of them fails
        _ending.Dispose();
    }

    private async Task LeadAsync(Digest digest, TaskCompletionSource making)
    {
        // Whatever keeps it from being made, it can be read from its frame; if not, its reader finds that out.
        await ServingLoop.ServeAsync(() => TryMakeAsync(digest), failure =>
        {
            bool isFull = failure is RpcException { StatusCode: StatusCode.ResourceExhausted };
            if (!isFull && !_ending.IsCancellationRequested) Trace.TraceWarning($"blob {digest} was not made a plain file: {failure.Message}");
        });
        // In this order: who comes now must not find this one again.
        _making.TryRemove(digest, out _);
        making.SetResult();
    }

    private async ValueTask TryMakeAsync(Digest digest)
    {
        _ending.Token.ThrowIfCancellationRequested();
        if (!store.Room.TryReserve(digest.SizeBytes, blobs: 0)) return;

        bool isSpent = false;
        string? tempName = null;
        try
        {
            using var from = store.Opener.TryOpen(digest);
            if (from is not { Frame: { } frame, File: null }) return; // gone meanwhile, or made by somebody who linked it

            using var to = store.Files.CreateTemp(out tempName);
            if (!await TryInflateAsync(digest, from.FrameBytes, frame, to))
            {
                store.Bad.LoseFrame(digest, from.FrameBytes, frame);
                return;
            }

            store.Protect(to);
            // Not flushed: a restart that is not sure of the disk drops it.
            isSpent = store.TryPublish(tempName, digest, BlobFileKinds.Executable);
        }
        finally
        {
            if (!isSpent)
            {
                if (tempName is not null) store.Files.DeleteTemp(tempName);
                store.Index.Release(digest.SizeBytes);
            }
        }
    }

    private async Task<bool> TryInflateAsync(Digest digest, long frameBytes, SafeFileHandle frame, SafeFileHandle to)
    {
        try
        {
            using var inflation = new FrameInflation(frame, digest, frameBytes, store.Disk, to);
            return await inflation.RunAsync(store.Bulk, _ending.Token);
        }
        catch (IOException failed)
        {
            throw StorageErrors.FromErrno(failed.HResult, "copying a blob", store.Files.Root);
        }
    }
}
