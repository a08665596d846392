using System.Buffers;
using System.Diagnostics;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>One upload of a small blob: its bytes are gathered in memory, and at the end they are a record of a segment.</summary>
internal sealed class LoggedBlobWriter(DiskBlobStore store, Digest digest) : BlobWriter(digest)
{
    private readonly int _headBytes = SegmentFormat.HeadBytes(digest.Function);
    private byte[] _record = [];
    private bool _holdsRoom;
    private bool _isPresent;
    private bool _isGathering = true; // counted by whoever made it

    public override bool AlreadyPresent => _isPresent;

    public override ValueTask DisposeAsync()
    {
        GiveUp();
        if (_isGathering) store.Room.Gathered(Digest.SizeBytes);
        _isGathering = false;
        return ValueTask.CompletedTask;
    }

    /// <summary>Its room, before any byte travels.</summary>
    internal LoggedBlobWriter Begin()
    {
        try
        {
            store.Room.CheckFits(Digest.SizeBytes);
            store.Room.Reserve(Digest.SizeBytes);
            _holdsRoom = true;
            return this;
        }
        catch
        {
            store.Room.Gathered(Digest.SizeBytes);
            throw;
        }
    }

    protected override ValueTask TakeAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        // Somebody else may have stored the blob meanwhile: then neither the client nor the disk need to go on.
        if (WrittenBytes > 0 && store.Promises.TryPromise(Digest))
        {
            store.Observer.FoundPresent();
            _isPresent = true;
            GiveUp();
            return ValueTask.CompletedTask;
        }

        int start = _headBytes + (int)WrittenBytes;
        Grow(start + data.Length);
        data.Span.CopyTo(_record.AsSpan(start));
        return ValueTask.CompletedTask;
    }

    protected override async ValueTask StoreAsync(CancellationToken cancellationToken)
    {
        int recordBytes = SegmentFormat.RecordBytes(Digest);
        using (var check = new DigestCheck(Digest))
        {
            check.Hash(_record.AsSpan(_headBytes, recordBytes - _headBytes));
            check.Finish();
        }

        SegmentFormat.Seal(_record, Digest, store.Segments.Mark);
        var pending = new PendingRecords([Digest], _record.AsMemory(0, recordBytes));
        // From here on the outcome belongs to the group: the bytes of a cancelled caller are still being written.
        await store.Log.AppendAsync(pending, mayBlock: false);
        if (pending.Results[0] == AddResult.NotAdded) throw pending.FailureOf(0) ?? new UnreachableException("a record without an outcome");

        _holdsRoom = false; // spent, or given back
        _isPresent = true;
        if (pending.Results[0] == AddResult.Added) store.Observer.Stored(Digest.SizeBytes);
        else store.Observer.FoundPresent();
    }

    /// <summary>Memory follows the bytes and not the claim of the digest (TRUST 4.1): at most twice what has come.</summary>
    private void Grow(int bytes)
    {
        if (bytes <= _record.Length) return;

        int wanted = Math.Min(SegmentFormat.RecordBytes(Digest), Math.Max(bytes, 2 * _record.Length));
        byte[] larger = ArrayPool<byte>.Shared.Rent(wanted);
        _record.AsSpan(0, Math.Min(_record.Length, _headBytes + (int)WrittenBytes)).CopyTo(larger);
        GiveBack();
        _record = larger;
    }

    private void GiveBack()
    {
        if (_record.Length > 0) ArrayPool<byte>.Shared.Return(_record);
        _record = [];
    }

    private void GiveUp()
    {
        GiveBack();
        if (!_holdsRoom) return;

        store.Index.Release(Digest.SizeBytes);
        _holdsRoom = false;
    }
}
