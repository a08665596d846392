using System.Diagnostics;

namespace RemoteExec.Storage;

/// <summary>
/// Blobs spread over several stores by their digests, each in the place that <see cref="Rendezvous"/> finds. With one replica a place is a pair
/// of them; without, one that is away takes its share of the blobs along, and what asks about those is UNAVAILABLE.
/// </summary>
public sealed class ShardedBlobStore : IBlobStore
{
    private readonly Rendezvous _rendezvous;
    private readonly IBlobStore[,] _places; // by the two nodes, in either order
    private readonly int _nodes;

    /// <param name="mirror">Makes one store of two nodes; null keeps each blob once.</param>
    public ShardedBlobStore(IReadOnlyList<BlobNode> nodes, Func<BlobNode, BlobNode, IBlobStore>? mirror)
    {
        Debug.Assert(nodes.Count > 0 && nodes.Select(node => node.Name).Distinct().Count() == nodes.Count);
        _nodes = nodes.Count;
        _rendezvous = new Rendezvous(nodes);
        _places = new IBlobStore[_nodes, _nodes];
        for (int i = 0; i < _nodes; i++)
        {
            for (int j = 0; j <= i; j++)
                _places[i, j] = _places[j, i] = mirror is null || i == j ? nodes[i].Store : mirror(nodes[j], nodes[i]);
        }

        IsMirrored = mirror is not null;
    }

    private bool IsMirrored { get; }

    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
        AskAsync(digests, (place, its) => place.FindMissingAsync(its, cancellationToken), cancellationToken);

    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(
        IReadOnlyList<Digest> digests, PromiseKind kind, CancellationToken cancellationToken) =>
        AskAsync(digests, (place, its) => place.FindMissingAsync(its, kind, cancellationToken), cancellationToken);

    private async ValueTask<IReadOnlyList<Digest>> AskAsync(
        IReadOnlyList<Digest> digests, Func<IBlobStore, IReadOnlyList<Digest>, ValueTask<IReadOnlyList<Digest>>> ask, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var asked = new Dictionary<IBlobStore, List<Digest>>(ReferenceEqualityComparer.Instance);
        foreach (var digest in digests)
        {
            if (digest.IsEmpty) continue;
            var place = PlaceOf(digest);
            if (!asked.TryGetValue(place, out var its)) asked[place] = its = [];
            its.Add(digest);
        }

        if (asked.Count == 1) return await ask(asked.First().Key, digests);

        // All at once: there are no more than places, and the answer comes with the slowest.
        var answers = await Task.WhenAll(asked.Select(one => ask(one.Key, one.Value).AsTask()));
        var missing = answers.SelectMany(answer => answer).ToHashSet();
        return missing.Count == 0 ? [] : [.. digests.Where(missing.Remove)]; // once each, in the order asked
    }

    public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
        PlaceOf(digest).OpenReadAsync(digest, offset, cancellationToken);

    public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
        PlaceOf(digest).CreateWriterAsync(digest, cancellationToken);

    /// <summary>A batch for each place, all of them at once. What one cannot take says nothing of the others' blobs.</summary>
    public async ValueTask<Status[]> WriteManyAsync(IReadOnlyList<(Digest Digest, ReadOnlyMemory<byte> Data)> blobs, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var statuses = new Status[blobs.Count];
        var places = Enumerable.Range(0, blobs.Count).GroupBy(i => PlaceOf(blobs[i].Digest));
        await Task.WhenAll(places.Select(WriteAsync));
        return statuses;

        async Task WriteAsync(IGrouping<IBlobStore, int> place)
        {
            int[] its = [.. place];
            var some = await place.Key.TryWriteManyAsync([.. its.Select(i => blobs[i])], cancellationToken);
            for (int i = 0; i < its.Length; i++) statuses[its[i]] = some[i];
        }
    }

    public ValueTask ReadManyAsync(IReadOnlyList<Digest> digests, IBlobReceiver receiver, CancellationToken cancellationToken) =>
        this.ReadTogetherAsync(digests, receiver, cancellationToken);

    private IBlobStore PlaceOf(in Digest digest)
    {
        if (_nodes == 1) return _places[0, 0];

        var (first, second) = _rendezvous.Find(digest);
        return IsMirrored ? _places[first, second] : _places[first, first];
    }
}
