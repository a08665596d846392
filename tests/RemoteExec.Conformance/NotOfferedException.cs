namespace RemoteExec.Conformance;

/// <summary>What a check is about is not served here, and the server says so.</summary>
internal sealed class NotOfferedException(string reason) : Exception(reason);
