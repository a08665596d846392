namespace RemoteExec.Storage;

/// <summary>Which files of its own a blob has.</summary>
[Flags]
internal enum BlobFileKinds : byte
{
    None = 0,

    /// <summary>Mode 0555, under the blob's name.</summary>
    Executable = 1,

    /// <summary>Mode 0444, under the name with <c>.data</c>.</summary>
    Data = 2,
}
