namespace RemoteExec.Assets;

/// <summary>What a URI stands for. The same URI may be both: an archive, and the directory that it unpacks to.</summary>
public enum AssetKind
{
    Blob,
    Directory,
}
