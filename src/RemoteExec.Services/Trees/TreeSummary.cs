namespace RemoteExec.Services;

/// <summary>What a complete directory and all below it amount to. Paths count as often as they would have to be created.</summary>
/// <param name="Paths">Files, links and directories.</param>
/// <param name="Depth">Levels below and including this directory.</param>
internal readonly record struct TreeSummary(long Paths, int Depth);
