namespace RemoteExec.Hosting;

/// <summary>
/// What came of reading options, one of three: the options; the text that was asked for instead of a run (help, version, values); or
/// everything that is wrong, each with what, why and the remedy in one line.
/// </summary>
public sealed record OptionsOutcome<T>(T? Options, string? Answer, IReadOnlyList<string> Errors)
    where T : class;
