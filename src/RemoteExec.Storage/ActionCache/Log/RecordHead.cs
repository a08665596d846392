namespace RemoteExec.Storage;

/// <summary>What precedes a record's payload.</summary>
internal readonly record struct RecordHead(RecordKind Kind, ResultName Name, DateTime LastUse);
