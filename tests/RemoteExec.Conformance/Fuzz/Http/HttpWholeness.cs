namespace RemoteExec.Conformance;

/// <summary>Whether a server can know that a request is over.</summary>
internal enum HttpWholeness
{
    /// <summary>It has an end: an answer has to come.</summary>
    Whole,

    /// <summary>Its end is missing for sure: whatever it asks for cannot happen.</summary>
    CutShort,

    /// <summary>Nobody knows: it may end earlier or later than its bytes do.</summary>
    Garbled,
}
