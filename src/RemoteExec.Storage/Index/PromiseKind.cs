namespace RemoteExec.Storage;

/// <summary>Why a blob is promised, and so for how long (<see cref="RetentionRule"/>).</summary>
public enum PromiseKind
{
    /// <summary>Uploaded, reported present, read, linked, part of a result that was stored.</summary>
    Use,

    /// <summary>Part of a result that the action cache answered with.</summary>
    Hit,

    /// <summary>Part of a result that was stored, and whose client needs it less than others (REAPI ResultsCachePolicy.priority, A6).</summary>
    Brief,

    /// <summary>Part of a result that was stored, and whose client needs it more than others.</summary>
    Long,
}
