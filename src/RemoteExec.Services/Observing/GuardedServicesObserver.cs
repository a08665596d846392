using RemoteExec.Core;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Services;

/// <summary>Keeps calls from the failures of whoever watches them.</summary>
internal sealed class GuardedServicesObserver(IServicesObserver? inner) : IServicesObserver
{
    public static readonly GuardedServicesObserver Nobody = new(inner: null);

    public void BlobReceived(long bytes, bool isCompressed) =>
        Observers.Tell(inner, (bytes, isCompressed), static (observer, piece) => observer.BlobReceived(piece.bytes, piece.isCompressed));

    public void BlobSent(long bytes, bool isCompressed) =>
        Observers.Tell(inner, (bytes, isCompressed), static (observer, piece) => observer.BlobSent(piece.bytes, piece.isCompressed));

    public void ActionUsed(Usage usage) => Observers.Tell(inner, usage, static (observer, used) => observer.ActionUsed(used));

    public void Rederived(RederivedInputs inputs) => Observers.Tell(inner, inputs, static (observer, ended) => observer.Rederived(ended));
}
