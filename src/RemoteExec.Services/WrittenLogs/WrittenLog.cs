namespace RemoteExec.Services;

/// <summary>A log that a client writes. All but its bytes is guarded by the lock of <see cref="WrittenLogs"/>.</summary>
internal sealed class WrittenLog
{
    public WrittenLog(WrittenLogName name, string connection)
    {
        Name = name;
        Connection = connection;
        Bytes = new LiveLog(name.Instance);
        Place = new LinkedListNode<WrittenLog>(this);
    }

    public WrittenLogName Name { get; }

    /// <summary>On which it was made, and to whose share it counts.</summary>
    public string Connection { get; }

    public UInt128 Token { get; } = WrittenLogName.NewPart();

    public LiveLog Bytes { get; }

    /// <summary>Among those that are written, or among those that are final.</summary>
    public LinkedListNode<WrittenLog> Place { get; }

    /// <summary>When somebody last wrote, or when it became final, in the clock's timestamps.</summary>
    public long HeardAt { get; set; }

    /// <summary>Calls that write it, also those that say nothing.</summary>
    public int Writers { get; set; }

    /// <summary>When the last of these ended, or when it was made.</summary>
    public long LeftAt { get; set; }

    /// <summary>Calls that read it.</summary>
    public int Readers { get; set; }
}
