using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Assets;

/// <summary>Gets content from its origin into the store, and nothing there that is not what its checksum says.</summary>
internal sealed class AssetSources : IDisposable
{
    private readonly ILocalBlobStore _store;
    private readonly IAssetObserver _observer;
    private readonly Spool _spool;
    private readonly HttpOrigin _http;
    private readonly ArchiveUnpacker _archives;
    private readonly GitOrigin _git;

    public AssetSources(AssetOptions options, ILocalBlobStore store, TimeProvider time)
    {
        (_store, _observer) = (store, options.Observer);
        string directory = Path.Combine(options.Directory, "temp");
        _spool = new Spool(directory, options.DownloadBytesMax, options.DownloadsBytesMax);
        _archives = new ArchiveUnpacker(store, _spool, options.UnpackedBytesMax, options.UnpackedEntriesMax, options.UnpackedTextMax);
        _http = new HttpOrigin(options, time);
        _git = new GitOrigin(options, directory, _spool, _archives);
    }

    public async Task<Digest> FetchAsync(AssetRequest request, int uri, CancellationToken cancellationToken)
    {
        var (source, integrity) = (request.Uris[uri], request.Qualifiers.Integrity);
        if (request.Kind == AssetKind.Directory && request.Qualifiers.IsGit)
            return await _git.FetchAsync(source, request.Qualifiers, request.Qualifiers.HeadersFor(uri), request.Function, cancellationToken);

        using var file = _spool.Create();
        if (integrity is not null) file.Hash(integrity.Functions);
        try
        {
            await _http.DownloadAsync(source, [.. request.Qualifiers.HeadersFor(uri)], integrity is not null, file, cancellationToken);
            _observer.Downloaded(file.LengthBytes);
            if (integrity is not null) Check(integrity, file, source);
            return request.Kind == AssetKind.Blob
                ? await file.StoreAsync(_store, request.Function, cancellationToken)
                : await _archives.UnpackAsync(file, request.Function, request.Qualifiers.Subdirectory, cancellationToken);
        }
        catch (RpcException failure) when (!failure.Status.Detail.Contains("://", StringComparison.Ordinal))
        {
            throw RpcErrors.Of(failure.StatusCode, $"{source.GetLeftPart(UriPartial.Path)}: {failure.Status.Detail}");
        }
    }

    public void Dispose() => _http.Dispose();

    private static void Check(Integrity integrity, SpooledFile file, Uri source)
    {
        var seen = file.Digests();
        if (!integrity.Accepts(seen))
            throw RpcErrors.Of(StatusCode.Aborted, $"{source.GetLeftPart(UriPartial.Path)}: has another checksum: {string.Join(", ", seen.Select(digest => $"{digest.Function.WireName()} {digest.Hash}"))}");
    }
}
