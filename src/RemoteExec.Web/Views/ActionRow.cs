namespace RemoteExec.Web;

/// <summary>One execution in a list.</summary>
public record ActionRow
{
    public string Id { get; init; } = "";

    public string ActionDigest { get; init; } = "";

    public string Mnemonic { get; init; } = "";

    public string Target { get; init; } = "";

    public string CommandLine { get; init; } = "";

    public bool Done { get; init; }

    public string Stage { get; init; } = "";

    public int StatusCode { get; init; }

    public string StatusName { get; init; } = "";

    public int ExitCode { get; init; }

    public bool Cached { get; init; }

    public string Worker { get; init; } = "";

    public StageTimes Stages { get; init; } = new(0, 0, 0, 0);

    public double TotalSeconds { get; init; }
}
