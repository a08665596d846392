namespace RemoteExec.Hosting;

/// <summary>An end that somebody can mend: one sentence with the remedy, and how the process exits.</summary>
public sealed record Refusal(int ExitCode, string Sentence);
