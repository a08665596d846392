namespace RemoteExec.Storage;

/// <summary>Records on their way into a segment, one upload's or a whole batch's: they are written together, and each has its own outcome.</summary>
/// <param name="Digests">What each was checked to be. Its size is reserved, unless it moves.</param>
/// <param name="Bytes">The records, one behind the other; not the writer's again before <see cref="Done"/>.</param>
/// <param name="MovedFrom">Where these blobs are now; null for new ones.</param>
internal sealed record PendingRecords(IReadOnlyList<Digest> Digests, ReadOnlyMemory<byte> Bytes, IReadOnlyList<BlobPlace>? MovedFrom = null)
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends when each has its outcome, and never with an exception.</summary>
    public Task Done => _done.Task;

    /// <summary>What became of each; of one that is <see cref="AddResult.NotAdded"/> the reservation is still the caller's.</summary>
    public AddResult[] Results { get; } = new AddResult[Digests.Count];

    private Exception?[]? Failures { get; set; }

    public Exception? FailureOf(int index) => Failures?[index];

    public void Fail(int index, Exception failure) => (Failures ??= new Exception?[Digests.Count])[index] = failure;

    public void FailAll(Exception failure)
    {
        for (int i = 0; i < Digests.Count; i++)
        {
            if (Results[i] == AddResult.NotAdded && FailureOf(i) is null) Fail(i, failure);
        }
    }

    public void Complete() => _done.TrySetResult();
}
