namespace RemoteExec.Web;

/// <summary>What an action runs. Values of variables whose names speak of secrets are not shown.</summary>
public sealed record CommandView(
    IReadOnlyList<string> Arguments, IReadOnlyList<string> Environment, IReadOnlyList<string> Platform, string WorkingDirectory);
