using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// One write for many concurrent writers of the same digest. The first one writes; the others keep their first bytes
/// until it is done, and then find the blob present. If it fails, or stands still for too long, the next one goes on
/// with its own bytes: nobody depends on a stranger's success.
/// </summary>
public sealed class CoalescingBlobStore(IBlobStore inner, TimeSpan stallMax, TimeProvider time) : IBlobStore
{
    private readonly Lock _gate = new();
    private readonly Dictionary<Digest, WriteFlight> _flights = [];

    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
        inner.FindMissingAsync(digests, cancellationToken);

    public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
        inner.OpenReadAsync(digest, offset, cancellationToken);

    public async ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken)
    {
        if (digest.IsEmpty) return await inner.CreateWriterAsync(digest, cancellationToken);

        var flight = Board(digest);
        try
        {
            // The first one asks for room at once, so that a full store refuses before bytes travel.
            var first = flight.TryLead() ? await inner.CreateWriterAsync(digest, cancellationToken) : null;
            return new CoalescingBlobWriter(this, flight, inner, first, stallMax);
        }
        catch
        {
            flight.Fail();
            Leave(flight);
            throw;
        }
    }

    internal void Leave(WriteFlight flight)
    {
        lock (_gate)
        {
            if (--flight.Writers == 0 && _flights.GetValueOrDefault(flight.Digest) == flight) _flights.Remove(flight.Digest);
        }
    }

    private WriteFlight Board(Digest digest)
    {
        lock (_gate)
        {
            // A flight that has arrived takes nobody on: the store itself must say, and promise, that the blob is there.
            if (!_flights.TryGetValue(digest, out var flight) || flight.IsCommitted)
                _flights[digest] = flight = new WriteFlight(digest, time);
            flight.Writers++;
            return flight;
        }
    }
}
