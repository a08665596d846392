namespace RemoteExec.Protocol;

/// <summary>One output that a command announced.</summary>
/// <param name="Path">As the client wrote it; the result repeats it letter by letter.</param>
/// <param name="RootPath">The same place relative to the input root, without <c>.</c> and <c>..</c>; empty for the root.</param>
/// <param name="Kind">What it must be.</param>
public readonly record struct OutputPath(string Path, string RootPath, OutputKind Kind);
