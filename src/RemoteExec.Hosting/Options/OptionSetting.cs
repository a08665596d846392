namespace RemoteExec.Hosting;

/// <summary>What one source says about one option.</summary>
/// <param name="Origin">How the person who set it would point at it: <c>--slots</c>, <c>rexec.json line 3: 'Slots'</c>.</param>
/// <param name="Place">Where it came from, in a list of all options: <c>command line</c>, <c>rexec.json line 3</c>.</param>
/// <param name="Values">Null stands for what is no text.</param>
internal sealed record OptionSetting(string Origin, string Place, IReadOnlyList<string?> Values);
