namespace RemoteExec.Services;

/// <summary>A log that a client writes. All but its bytes is guarded by the lock of <see cref="WrittenLogs"/>.</summary>
internal sealed class WrittenLog
{
    public WrittenLog(WrittenLogName name)
    {
        Name = name;
        Bytes = new LiveLog(name.Instance);
        Place = new LinkedListNode<WrittenLog>(this);
    }

    public WrittenLogName Name { get; }

    public UInt128 Token { get; } = WrittenLogName.NewPart();

    public LiveLog Bytes { get; }

    /// <summary>Among those that are written, or among those that are final.</summary>
    public LinkedListNode<WrittenLog> Place { get; }

    /// <summary>When somebody last wrote, or when it became final, in the clock's timestamps.</summary>
    public long HeardAt { get; set; }
}
