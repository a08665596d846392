namespace RemoteExec.Client;

/// <summary>What an input root is made of.</summary>
public sealed record InputSources
{
    /// <summary>Folders of this machine whose contents are laid over each other; a file that two of them have is refused.</summary>
    public IReadOnlyList<string> Folders { get; init; } = [];

    /// <summary>Names that are left out wherever they stand, with <c>*</c> and <c>?</c>.</summary>
    public IReadOnlyList<string> Excluded { get; init; } = [];

    /// <summary>More files of the root, by their names there.</summary>
    public IReadOnlyList<KeyValuePair<string, LocalBlob>> Files { get; init; } = [];

    /// <summary>False: refuse what most servers refuse as input (REAPI SymlinkAbsolutePathStrategy), before anything is sent.</summary>
    public bool AllowAbsoluteLinks { get; init; }
}
