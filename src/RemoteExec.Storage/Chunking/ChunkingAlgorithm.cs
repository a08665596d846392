namespace RemoteExec.Storage;

/// <summary>How a blob was cut, under REAPI's own numbers (ChunkingFunction.Value), so that a value crosses the wire by a cast.</summary>
public enum ChunkingAlgorithm
{
    /// <summary>By a rule of the client's own, or as the server likes.</summary>
    Unknown = 0,

    FastCdc2020 = 1,

    RepMaxCdc = 2,
}
