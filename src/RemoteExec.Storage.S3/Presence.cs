using RemoteExec.Core;

namespace RemoteExec.Storage.S3;

/// <summary>What was learnt about single objects lately. Bounded, and each for a time only: the bucket has other users, and rules of its own.</summary>
internal sealed class Presence(S3BlobStoreOptions options)
{
    private readonly SizedLru<Digest, (bool IsThere, long Since)> _seen = new(options.RememberedMax);

    // Not what its name says: absent until it is written again, whatever a question says.
    private readonly SizedLru<Digest, bool> _broken = new(10_000);

    /// <summary>Null when it has to be asked.</summary>
    public bool? Find(in Digest digest)
    {
        if (_broken.TryGet(digest, out _)) return false;
        if (!_seen.TryGet(digest, out var seen)) return null;
        return options.Time.GetElapsedTime(seen.Since) < (seen.IsThere ? options.PresenceTime : options.AbsenceTime) ? seen.IsThere : null;
    }

    public void Saw(in Digest digest, bool isThere) => _seen.Set(digest, (isThere, options.Time.GetTimestamp()), size: 1);

    public void Wrote(in Digest digest)
    {
        _broken.Remove(digest);
        Saw(digest, isThere: true);
    }

    public void Broke(in Digest digest) => _broken.Set(digest, true, size: 1);
}
