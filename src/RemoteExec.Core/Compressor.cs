namespace RemoteExec.Core;

/// <summary>The compressors we both read and write (REAPI Compressor.Value, whose numbers these are).</summary>
public enum Compressor
{
    Identity = 0,
    Zstd = 1,
}
