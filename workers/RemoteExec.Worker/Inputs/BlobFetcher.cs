using System.Collections.Concurrent;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>
/// Brings blobs to this machine, each once however many actions want it. In the all-in-one there is nowhere to bring them from:
/// the local store is the whole truth and <paramref name="remote"/> is null.
/// </summary>
internal sealed class BlobFetcher(ILocalBlobStore local, IBlobStore? remote)
{
    private readonly ConcurrentDictionary<Digest, TaskCompletionSource<FlightEnd>> _flights = new();

    private enum FlightEnd
    {
        Arrived,
        Missing,

        /// <summary>Failed, or its action was cancelled: whoever still wants the blob tries for itself.</summary>
        GivenUp,
    }

    /// <summary>Reads a small blob, here or there; null is a miss.</summary>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(Digest digest, int bytesMax, CancellationToken cancellationToken)
    {
        if (await local.ReadAllAsync(digest, bytesMax, cancellationToken) is { } here) return here;
        if (remote is null) return null;
        // Kept for the next action: most messages of an input tree come back unchanged.
        return await FetchAsync(digest, cancellationToken) is not null
            ? await local.ReadAllAsync(digest, bytesMax, cancellationToken)
            : null;
    }

    /// <summary>Makes every digest present locally, and answers those that exist nowhere.</summary>
    public async ValueTask<FetchOutcome> EnsureLocalAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken)
    {
        var absent = await local.FindMissingAsync(digests, cancellationToken);
        if (absent.Count == 0 || remote is null) return new FetchOutcome(absent, FetchedBytes: 0);

        var missing = new ConcurrentBag<Digest>();
        long fetchedBytes = 0;
        await Transfers.ForEachAsync(absent, async (digest, cancelled) =>
        {
            if (await FetchAsync(digest, cancelled) is { } bytes) Interlocked.Add(ref fetchedBytes, bytes);
            else missing.Add(digest);
        }, cancellationToken);
        return new FetchOutcome([.. missing], fetchedBytes);
    }

    /// <summary>The bytes that travelled for this caller; null is a miss.</summary>
    private async ValueTask<long?> FetchAsync(Digest digest, CancellationToken cancellationToken)
    {
        var own = new TaskCompletionSource<FlightEnd>(TaskCreationOptions.RunContinuationsAsynchronously);
        while (true)
        {
            var flight = _flights.GetOrAdd(digest, own);
            if (flight == own) return await LeadAsync(digest, own, cancellationToken);

            switch (await flight.Task.WaitAsync(cancellationToken))
            {
                case FlightEnd.Arrived: return 0;
                case FlightEnd.Missing: return null;
            }
        }
    }

    private async ValueTask<long?> LeadAsync(Digest digest, TaskCompletionSource<FlightEnd> flight, CancellationToken cancellationToken)
    {
        var end = FlightEnd.GivenUp;
        try
        {
            // Between the caller's look and this flight, another one may have landed.
            if ((await local.FindMissingAsync([digest], cancellationToken)).Count == 0)
            {
                end = FlightEnd.Arrived;
                return 0;
            }

            long? bytes = await remote!.CopyAsync(digest, local, cancellationToken); // nobody fetches without a remote store
            end = bytes is null ? FlightEnd.Missing : FlightEnd.Arrived;
            return bytes;
        }
        finally
        {
            // In this order: who wakes up must not find this flight again.
            _flights.TryRemove(digest, out _);
            flight.SetResult(end);
        }
    }
}

internal readonly record struct FetchOutcome(IReadOnlyList<Digest> Missing, long FetchedBytes);
