using RemoteExec.Core;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>What the data of an upload is on the wire.</summary>
internal interface IUploadEncoding
{
    /// <summary>Whether an upload that was broken off can go on, and what a Write or a question may count before it is whole (REAPI BW9).</summary>
    bool CanResume { get; }

    /// <summary>What to answer when the blob was there before all data had come (REAPI BW5).</summary>
    long EarlySize(Digest digest);

    /// <summary>Where the data goes.</summary>
    ValueTask<IBlobWriter> OpenAsync(IBlobStore store, Digest digest, CancellationToken cancellationToken);
}
