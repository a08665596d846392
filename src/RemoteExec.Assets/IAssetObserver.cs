namespace RemoteExec.Assets;

/// <summary>Told how questions for addresses went; metrics hang here. What it throws changes nothing.</summary>
public interface IAssetObserver
{
    /// <summary>It was stored already.</summary>
    void Known(AssetKind kind) { }

    /// <summary>An origin was asked for it, however many callers waited.</summary>
    /// <param name="isFound">False for what ended without content, whatever the reason.</param>
    void Fetched(AssetKind kind, bool isFound, TimeSpan duration) { }

    /// <summary>A download has come so far as to be checked.</summary>
    void Downloaded(long bytes) { }
}
