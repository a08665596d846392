using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>
/// An upload that is cut as it comes: the chunks that the server lacks travel, and it puts the blob together. Where that fails, whatever the reason,
/// the blob is sent once more, as a whole.
/// </summary>
internal sealed class ChunkSendingWriter(RemoteBlobStore remote, Digest digest, IChunker chunker) : BlobWriter(digest), IResumableBlobWriter
{
    // Some chunks of common size: they are asked for, and travel, together.
    private const int GatherBytes = 4 << 20;

    private BlobCutter? _cutter = new(chunker, digest.Function, digest.SizeBytes, GatherBytes);
    private RemoteBlobWriter? _whole;
    private bool _isPresent;

    public override bool AlreadyPresent => _whole?.AlreadyPresent ?? _isPresent;

    public async ValueTask ResumeAsync(RpcException cut, CancellationToken cancellationToken)
    {
        if (_whole is not null)
        {
            await _whole.ResumeAsync(cut, cancellationToken);
            Restart(_whole.WrittenBytes);
            return;
        }

        GiveUp();
        _whole = new RemoteBlobWriter(remote, Digest);
        Restart(0);
    }

    public override ValueTask DisposeAsync()
    {
        GiveUp();
        return _whole?.DisposeAsync() ?? ValueTask.CompletedTask;
    }

    protected override async ValueTask TakeAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        if (_cutter is not { } cutter)
        {
            await _whole!.AppendAsync(data, cancellationToken); // there is the one or the other, until the end
            return;
        }

        while (!data.IsEmpty)
        {
            int bytes = Math.Min(cutter.Free.Length, data.Length);
            data[..bytes].CopyTo(cutter.Free);
            cutter.Filled(bytes);
            data = data[bytes..];
            if (cutter.Free.IsEmpty) await SendAsync(cutter, isLast: false, cancellationToken);
        }
    }

    protected override async ValueTask StoreAsync(CancellationToken cancellationToken)
    {
        if (_cutter is not { } cutter)
        {
            await _whole!.CommitAsync(cancellationToken);
            return;
        }

        if (!cutter.Held.IsEmpty) await SendAsync(cutter, isLast: true, cancellationToken);
        // One that is a single chunk is there by now.
        if (cutter.Chunks.Count > 1) await TryAsync(() => remote.SpliceAsync(Digest, cutter.Chunks, cancellationToken), cancellationToken);
        _isPresent = true;
    }

    private async ValueTask SendAsync(BlobCutter cutter, bool isLast, CancellationToken cancellationToken)
    {
        var chunks = cutter.Cut(isLast);
        await TryAsync(() => SendMissingAsync(chunks, cancellationToken), cancellationToken);
        cutter.Drop();
    }

    private async ValueTask SendMissingAsync(List<(Digest Digest, ReadOnlyMemory<byte> Data)> chunks, CancellationToken cancellationToken)
    {
        var missing = (await remote.FindMissingAsync([.. chunks.Select(chunk => chunk.Digest)], cancellationToken)).ToHashSet();
        // Once each: the same bytes may come twice.
        var sent = chunks.Where(chunk => missing.Remove(chunk.Digest)).ToList();
        var statuses = await ((IBlobStore)remote).WriteManyAsync(sent, cancellationToken);
        if (Array.Find(statuses, status => status.StatusCode != StatusCode.OK) is { StatusCode: not StatusCode.OK } refused) throw new RpcException(refused);
    }

    /// <summary>In words after which whoever has the source begins again (<see cref="BlobTransfers.WriteFromAsync"/>).</summary>
    private async ValueTask TryAsync(Func<ValueTask> act, CancellationToken cancellationToken)
    {
        try
        {
            await act();
        }
        catch (RpcException failure) when (!cancellationToken.IsCancellationRequested)
        {
            throw StorageErrors.Create(StatusCode.Unavailable, $"blob {Digest} could not be sent by its chunks: {failure.Status.Detail}");
        }
    }

    private void GiveUp()
    {
        _cutter?.Dispose();
        _cutter = null;
    }
}
