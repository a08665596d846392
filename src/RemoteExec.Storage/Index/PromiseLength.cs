namespace RemoteExec.Storage;

/// <summary>How long a blob's last promise was: those of one length end in the order in which they were made.</summary>
internal enum PromiseLength : byte
{
    Whole,
    Brief,
    Long,
}
