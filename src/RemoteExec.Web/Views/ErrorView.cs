namespace RemoteExec.Web;

/// <summary>Why a request was refused, in one sentence.</summary>
public sealed record ErrorView(string Error);
