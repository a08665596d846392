using RemoteExec.Core;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>Zstd data: offsets count compressed bytes (REAPI BW3), and a decoder cannot be resumed in its middle.</summary>
internal sealed class ZstdEncoding(ZstdDecoders decoders) : IUploadEncoding
{
    public bool CanResume => false;

    // How many compressed bytes there would have been, nobody knows (REAPI BW5).
    public long EarlySize(Digest digest) => -1;

    public async ValueTask<IBlobWriter> OpenAsync(IBlobStore store, Digest digest, CancellationToken cancellationToken) =>
        await decoders.DecodeAsync(await store.CreateWriterAsync(digest, cancellationToken), digest.SizeBytes, cancellationToken);
}
