namespace RemoteExec.Worker;

/// <summary>Many blobs at once, in bounds: small ones travel together in batches, large ones each hold a stream and a buffer.</summary>
internal static class Transfers
{
    private const int SmallBytesMax = 64 << 10;

    // As many as fill a batch and are on their way in the others.
    private const int SmallAtOnce = 512;

    // Enough to fill a fast link.
    private const int LargeAtOnce = 16;

    public static async Task ForEachAsync(
        IReadOnlyCollection<Digest> digests, Func<Digest, CancellationToken, ValueTask> transfer, CancellationToken cancellationToken)
    {
        var small = digests.Where(digest => digest.SizeBytes <= SmallBytesMax);
        var large = digests.Where(digest => digest.SizeBytes > SmallBytesMax);
        using var failed = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task[] both = [RunAsync(small, SmallAtOnce), RunAsync(large, LargeAtOnce)];
        await Task.WhenAll(both);

        async Task RunAsync(IEnumerable<Digest> some, int atOnce)
        {
            try
            {
                await Parallel.ForEachAsync(some, new ParallelOptions { MaxDegreeOfParallelism = atOnce, CancellationToken = failed.Token }, transfer);
            }
            catch
            {
                await failed.CancelAsync(); // what the other half still brings is of no use
                throw;
            }
        }
    }
}
