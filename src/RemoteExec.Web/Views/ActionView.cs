namespace RemoteExec.Web;

/// <summary>One execution in full: <c>GET /api/v1/actions/{id}</c>.</summary>
public sealed record ActionView(
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
    double TotalSeconds,
    int Attempts,
    string Message,
    CommandView? Command,
    string CommandProblem,
    OutputView? Stdout,
    OutputView? Stderr,
    IReadOnlyList<FileView> Outputs,
    IReadOnlyList<FileView> Inputs,
    bool InputsTruncated);
