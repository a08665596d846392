namespace RemoteExec.Web;

/// <summary>One execution in full: its row, and beside it what it ran, read and wrote. <c>GET /api/v1/actions/{id}</c>.</summary>
public sealed record ActionView : ActionRow
{
    public ActionView() { }

    internal ActionView(ActionRow row) : base(row) { }

    public int Attempts { get; init; }

    public string Message { get; init; } = "";

    public CommandView? Command { get; init; }

    /// <summary>Why there is no command, or empty.</summary>
    public string CommandProblem { get; init; } = "";

    public OutputView? Stdout { get; init; }

    public OutputView? Stderr { get; init; }

    public IReadOnlyList<FileView> Outputs { get; init; } = [];

    /// <summary>The first of them, depth first.</summary>
    public IReadOnlyList<FileView> Inputs { get; init; } = [];

    public bool InputsTruncated { get; init; }
}
