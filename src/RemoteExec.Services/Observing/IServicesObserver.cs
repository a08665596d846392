using RemoteExec.Protocol.V1;

namespace RemoteExec.Services;

/// <summary>
/// Told what travels and what actions used; metrics hang here. Called for every piece of a blob: be quick, never wait. What it
/// throws changes nothing.
/// </summary>
public interface IServicesObserver
{
    /// <param name="bytes">As they were encoded.</param>
    void BlobReceived(long bytes, bool isCompressed) { }

    /// <param name="bytes">As they were encoded.</param>
    void BlobSent(long bytes, bool isCompressed) { }

    /// <summary>What one run took.</summary>
    void ActionUsed(Usage usage) { }

    /// <summary>Inputs of a request were lost that had been made here, and it was tried to make them again, or was not.</summary>
    void Rederived(RederivedInputs inputs) { }
}
