namespace RemoteExec.Protocol;

/// <summary>What an output must turn out to be.</summary>
public enum OutputKind
{
    /// <summary>From <c>output_paths</c>: whatever is there.</summary>
    Any,

    /// <summary>From <c>output_files</c>: a file or a link to one; a directory is FAILED_PRECONDITION (REAPI X6).</summary>
    File,

    /// <summary>From <c>output_directories</c>: a directory or a link to one; a file is FAILED_PRECONDITION (REAPI X6).</summary>
    Directory,
}
