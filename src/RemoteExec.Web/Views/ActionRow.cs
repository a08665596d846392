namespace RemoteExec.Web;

/// <summary>One execution in a list.</summary>
public sealed record ActionRow(
    string Id,
    string ActionDigest,
    string Mnemonic,
    string Target,
    string CommandLine,
    bool Done,
    string Stage,
    int StatusCode,
    string StatusName,
    int ExitCode,
    bool Cached,
    string Worker,
    StageTimes Stages,
    double TotalSeconds);
