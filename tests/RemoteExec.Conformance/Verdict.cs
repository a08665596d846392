namespace RemoteExec.Conformance;

internal enum Verdict
{
    Passed,
    Failed,

    /// <summary>The server does not announce what the rule is about, and refuses it as it should.</summary>
    NotOffered,
}
