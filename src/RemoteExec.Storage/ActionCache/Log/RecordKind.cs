namespace RemoteExec.Storage;

/// <summary>What a record of the log says about its name.</summary>
internal enum RecordKind : byte
{
    /// <summary>Here is the result; it replaces any earlier one.</summary>
    Result = 1,

    /// <summary>The result was used at this time.</summary>
    Use = 2,
}
