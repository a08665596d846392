namespace RemoteExec.Conformance;

/// <summary>How a check went.</summary>
/// <param name="Detail">The server's own sentence, where there is one.</param>
internal sealed record Finding(Check Check, Verdict Verdict, string Seen, string Detail = "");
