namespace RemoteExec.Services;

/// <summary>What each connection has of the logs that were made on it. Guarded by the lock of <see cref="WrittenLogs"/>.</summary>
internal sealed class LogShares
{
    private readonly Dictionary<string, (int Logs, long Bytes)> _held = [];

    public (int Logs, long Bytes) Of(string connection) => _held.GetValueOrDefault(connection);

    /// <summary>Or takes away, where they are negative.</summary>
    public void Add(string connection, int logs, long bytes)
    {
        var (logsBefore, bytesBefore) = Of(connection);
        if (logsBefore + logs == 0) _held.Remove(connection);
        else _held[connection] = (logsBefore + logs, bytesBefore + bytes);
    }
}
