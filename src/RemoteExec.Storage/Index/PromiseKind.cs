namespace RemoteExec.Storage;

/// <summary>Why a blob is promised, and so for how long (<see cref="RetentionRule"/>).</summary>
internal enum PromiseKind
{
    /// <summary>Uploaded, reported present, read, linked.</summary>
    Use,

    /// <summary>Part of a result that the action cache answered with.</summary>
    Hit,
}
