using RemoteExec.Core;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Assets;

/// <summary>Keeps what was pushed, and what it refers to, until the time that its pusher named (REAPI S3): asks for it before the store may forget it.</summary>
internal sealed class PushKeeper(KnownAssets known, AssetContent content, TimeSpan interval, TimeProvider time)
{
    /// <summary>Ends when it is told to.</summary>
    public async Task RunAsync(CancellationToken ending)
    {
        while (!ending.IsCancellationRequested)
        {
            await Task.Delay(interval, time, ending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            foreach (var asset in known.WithExpiry())
            {
                if (ending.IsCancellationRequested) return;
                if (asset.ExpireAt.ToDateTimeOffset() <= time.GetUtcNow()) continue;
                await ServingLoop.ServeAsync(
                    (Content: content, Asset: asset, Ending: ending),
                    static async item => await item.Content.IsCompleteAsync(item.Asset, item.Ending),
                    static (item, failure) => Tell(item.Asset, failure, item.Ending));
            }
        }
    }

    private static void Tell(KnownAsset asset, Exception failure, CancellationToken ending)
    {
        if (!ending.IsCancellationRequested) System.Diagnostics.Trace.TraceError($"pushed content {asset.Digest.Hash} could not be asked for: {failure}");
    }
}
