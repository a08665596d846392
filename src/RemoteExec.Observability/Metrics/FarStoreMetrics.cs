using Prometheus;
using RemoteExec.Storage;

namespace RemoteExec.Observability;

/// <summary>Stores on other machines: a bucket behind the disk, or servers that keep the blobs. All zero where there are none.</summary>
internal sealed class FarStoreMetrics
{
    private readonly Gauge _queue;
    private readonly Counter.Child _brought;
    private readonly Counter.Child _kept;
    private readonly Counter.Child _hit;
    private readonly Counter.Child _miss;
    private readonly Counter.Child _failed;
    private readonly Gauge _away;
    private readonly Gauge _repairs;
    private readonly Counter.Child _repaired;
    private readonly Counter.Child _unrepaired;

    public FarStoreMetrics(Instruments instruments)
    {
        _queue = instruments.Gauge("remoteexec_bucket_queue_blobs", "Blobs that are on the disk and not in the bucket yet.");
        var writes = instruments.Counter("remoteexec_bucket_writes_total", "Blobs whose turn came to be brought to the bucket.", "result");
        (_brought, _kept) = (writes.WithLabels("stored"), writes.WithLabels("dropped"));
        var reads = instruments.Counter("remoteexec_bucket_reads_total", "Blobs that the disk lacked and the bucket was asked for.", "result");
        (_hit, _miss, _failed) = (reads.WithLabels("hit"), reads.WithLabels("miss"), reads.WithLabels("failed"));
        _away = instruments.Gauge("remoteexec_storage_nodes_away", "Storage servers that failed several times in a row and have not answered since.");
        _repairs = instruments.Gauge("remoteexec_storage_repairs_waiting", "Copies that are still to be made to servers that lack them.");
        var repairs = instruments.Counter("remoteexec_storage_repairs_total", "Copies that were made, or left to the next use of the blob.", "result");
        (_repaired, _unrepaired) = (repairs.WithLabels("done"), repairs.WithLabels("dropped"));
    }

    public void Show(TieredBlobStore tiers, WriteBehind behind)
    {
        _queue.Set(behind.Waiting);
        _brought.IncTo(behind.Brought);
        _kept.IncTo(behind.Dropped);
        _hit.IncTo(tiers.FetchedBlobs);
        _miss.IncTo(tiers.MissedBlobs);
        _failed.IncTo(tiers.Failures);
    }

    public void Show(BlobRepairs repairs, int away)
    {
        _away.Set(away);
        _repairs.Set(repairs.Waiting);
        _repaired.IncTo(repairs.Done);
        _unrepaired.IncTo(repairs.Dropped);
    }
}
