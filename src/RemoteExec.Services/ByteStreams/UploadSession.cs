using RemoteExec.Core;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// One upload by its whole name (REAPI N3), over as many calls as the client needs. One call at a time holds it; between
/// calls it keeps what was written, so that the client can go on from there.
/// </summary>
internal sealed class UploadSession(UploadResourceName name)
{
    public UploadResourceName Name { get; } = name;

    /// <summary>Null until the first call opens it, and after a compressed upload was broken off: that one starts again.</summary>
    public IBlobWriter? Writer { get; set; }

    /// <summary>What QueryWriteStatus answers. Of a compressed upload nothing counts until it is whole (REAPI BW9).</summary>
    public long CommittedBytes => Name.Blob.Compressor == Compressor.Identity ? Writer?.WrittenBytes ?? 0 : 0;

    /// <summary>The call that holds this upload; null between calls.</summary>
    public UploadTurn? Holder { get; set; }

    /// <summary>When the last call let go, in the clock's timestamps.</summary>
    public long IdleSince { get; set; }
}
