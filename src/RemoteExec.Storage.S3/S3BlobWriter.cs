using System.Buffers;
using System.Diagnostics;
using Amazon.S3.Model;
using Grpc.Core;
using RemoteExec.Core;

namespace RemoteExec.Storage.S3;

/// <summary>One object: in one request when it is small, else in parts, of which one is in memory. It is one only when all of it is what its name says.</summary>
internal sealed class S3BlobWriter(S3BlobStore store, Digest digest, int partBytes) : BlobWriter(digest)
{
    // Of an upload that came to nothing; the bucket's rules find what is left.
    private static readonly TimeSpan AbortMax = TimeSpan.FromSeconds(10);

    private readonly DigestCheck _check = new(digest);
    private readonly List<PartETag> _parts = [];
    private byte[]? _part = ArrayPool<byte>.Shared.Rent(partBytes);
    private int _filled;
    private string? _upload;
    private bool _isStored;

    public override bool AlreadyPresent => _isStored || store.Presence.Find(Digest) == true;

    public override async ValueTask DisposeAsync()
    {
        _check.Dispose();
        if (_part is not null) ArrayPool<byte>.Shared.Return(_part);
        _part = null;
        if (_upload is null || _isStored) return;
        try
        {
            using var limit = new CancellationTokenSource(AbortMax);
            await store.Objects.AbortAsync(Digest, _upload, limit.Token);
        }
        catch (Exception failure) when (failure is RpcException or OperationCanceledException)
        {
            Trace.TraceWarning($"an upload of blob {Digest} in parts was left unfinished: {failure.Message}");
        }

        _upload = null;
    }

    protected override async ValueTask TakeAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        _check.Hash(data.Span);
        while (!data.IsEmpty)
        {
            if (_filled == partBytes) await SendPartAsync(cancellationToken);
            int taken = Math.Min(data.Length, partBytes - _filled);
            data.Span[..taken].CopyTo(_part.AsSpan(_filled));
            _filled += taken;
            data = data[taken..];
        }
    }

    protected override async ValueTask StoreAsync(CancellationToken cancellationToken)
    {
        _check.Finish();
        if (_upload is null) await store.Objects.PutAsync(Digest, _part!, _filled, cancellationToken); // there until disposed
        else
        {
            await SendPartAsync(cancellationToken);
            await store.Objects.CompleteAsync(Digest, _upload, _parts, cancellationToken);
        }

        _isStored = true;
        store.Presence.Wrote(Digest);
    }

    private async ValueTask SendPartAsync(CancellationToken cancellationToken)
    {
        _upload ??= await store.Objects.BeginAsync(Digest, cancellationToken);
        _parts.Add(await store.Objects.PutPartAsync(Digest, _upload, _parts.Count + 1, _part!, _filled, cancellationToken));
        _filled = 0;
    }
}
