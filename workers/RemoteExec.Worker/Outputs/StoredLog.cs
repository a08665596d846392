namespace RemoteExec.Worker;

/// <summary>A finished log: its bytes when they are few, otherwise the blob that holds them (REAPI ActionResult.stdout_raw, stdout_digest).</summary>
internal readonly record struct StoredLog(byte[] Inline, Digest? Digest)
{
    public static StoredLog Empty { get; } = new([], null);
}
