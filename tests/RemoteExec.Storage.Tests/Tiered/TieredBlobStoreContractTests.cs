namespace RemoteExec.Storage.Tests;

public sealed class TieredBlobStoreContractTests : BlobStoreContract
{
    private TwoTiers _tiers = null!;

    private protected override async Task<IBlobStore> CreateStoreAsync()
    {
        _tiers = new TwoTiers(LimitBytes, Time);
        await _tiers.OpenAsync();
        return _tiers.Store;
    }

    private protected override Task NothingIsLeftAsync()
    {
        NUnit.Framework.Assert.That(_tiers.Behind.Waiting, NUnit.Framework.Is.Zero);
        return Task.CompletedTask;
    }

    private protected override async Task DeleteStoreAsync(IBlobStore store) => await _tiers.DisposeAsync();
}
