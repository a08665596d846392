namespace RemoteExec.Conformance;

/// <summary>One checkbox of the protocol.</summary>
/// <param name="WhyNot">Why no check asks for it: what it takes that is not seen over the wire. Null where one does.</param>
internal sealed record Rule(string Id, string Text, string? WhyNot = null);
