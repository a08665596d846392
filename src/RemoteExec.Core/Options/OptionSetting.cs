namespace RemoteExec.Core;

/// <summary>What one source says about one option.</summary>
/// <param name="Origin">How the person who set it would point at it: <c>--slots</c>, <c>rexec.json line 3: 'Slots'</c>.</param>
internal sealed record OptionSetting(string Origin, IReadOnlyList<string> Values);
