namespace RemoteExec.Protocol;

/// <summary>What a Directory is read for, which decides how strictly.</summary>
public enum DirectoryUse
{
    /// <summary>To be shown as it was stored (GetTree): it must be a Directory.</summary>
    Listing,

    /// <summary>Canonical (REAPI X12). What a command made may have absolute links.</summary>
    Output,

    /// <summary>Canonical, and every link relative unless the limits say otherwise (REAPI E3, SymlinkAbsolutePathStrategy; TRUST 4.1).</summary>
    Input,
}
