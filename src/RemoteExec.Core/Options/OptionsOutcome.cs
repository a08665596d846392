namespace RemoteExec.Core;

/// <summary>
/// What came of reading options, one of three: the options; the help text that was asked for; or
/// everything that is wrong, each with what, why and the remedy in one line.
/// </summary>
public sealed record OptionsOutcome<T>(T? Options, string? HelpText, IReadOnlyList<string> Errors)
    where T : class;
