namespace RemoteExec.Storage.Tests;

public sealed class MirroredBlobStoreContractTests : BlobStoreContract
{
    private TwoNodes _nodes = null!;

    private protected override Task<IBlobStore> CreateStoreAsync()
    {
        _nodes = new TwoNodes(LimitBytes, Time);
        return Task.FromResult<IBlobStore>(_nodes.Store);
    }

    private protected override async Task DeleteStoreAsync(IBlobStore store) => await _nodes.DisposeAsync();
}
