namespace RemoteExec.Cli;

/// <summary>What a verb's answer looks like.</summary>
internal enum OutputFormat
{
    /// <summary>For people; it may change.</summary>
    Text,

    /// <summary>One value: an object, or of a verb that lists an array of them.</summary>
    Json,

    /// <summary>One object a line.</summary>
    JsonLines,

    /// <summary>RFC 4180, with a line of names.</summary>
    Csv,
}
