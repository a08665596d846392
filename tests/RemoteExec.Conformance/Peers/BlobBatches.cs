namespace RemoteExec.Conformance;

/// <summary>Many blobs in messages that every server takes.</summary>
internal static class BlobBatches
{
    private const int CountMax = 1000;
    private const long BytesMax = 1 << 20;

    /// <summary>Each with one at least.</summary>
    public static IEnumerable<IReadOnlyList<T>> Of<T>(IEnumerable<T> blobs, Func<T, long> sizeOf)
    {
        var batch = new List<T>();
        long bytes = 0;
        foreach (var blob in blobs)
        {
            if (batch.Count == CountMax || (batch.Count > 0 && bytes + sizeOf(blob) > BytesMax))
            {
                yield return batch;
                (batch, bytes) = ([], 0);
            }

            batch.Add(blob);
            bytes += sizeOf(blob);
        }

        if (batch.Count > 0) yield return batch;
    }
}
