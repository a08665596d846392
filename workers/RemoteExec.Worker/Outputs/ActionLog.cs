using System.Text;
using Microsoft.Win32.SafeHandles;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>
/// One of an action's two streams while it runs: in memory while it is small, then in a file of the work
/// directory, so that slots times the limit never sits in memory. The sandbox bounds the total.
/// </summary>
internal sealed class ActionLog(string spillPath) : IDisposable
{
    private const int MemoryBytesMax = 128 * 1024;

    private readonly MemoryStream _memory = new();
    private SafeFileHandle? _spill;
    private long _length;

    /// <summary>Called by the sandbox's reader, one call at a time, never after the run.</summary>
    public void Write(ReadOnlySpan<byte> data)
    {
        if (_spill is null && _length + data.Length <= MemoryBytesMax)
        {
            _memory.Write(data);
        }
        else
        {
            _spill ??= Spill();
            RandomAccess.Write(_spill, data, _length);
        }
        _length += data.Length;
    }

    /// <summary>
    /// What the result says about this stream. What was dropped is told in a last line of its own: a log that
    /// merely stops reads like a crash.
    /// </summary>
    public async ValueTask<StoredLog> StoreAsync(
        ILocalBlobStore store, DigestFunction function, long droppedBytes, int inlineBytesMax, CancellationToken cancellationToken)
    {
        if (droppedBytes > 0)
            Write(Encoding.UTF8.GetBytes($"\n[output truncated: {droppedBytes} more bytes were dropped]\n"));
        if (_length == 0) return StoredLog.Empty;
        if (_length <= inlineBytesMax) return new StoredLog(_memory.ToArray(), Digest: null);
        var digest = _spill is null
            ? await store.WriteAllAsync(function, _memory.GetBuffer().AsMemory(0, (int)_length), cancellationToken)
            : await store.ImportFileAsync(function, _spill, cancellationToken);
        return new StoredLog([], digest);
    }

    public void Dispose()
    {
        _spill?.Dispose();
        _memory.Dispose();
    }

    private SafeFileHandle Spill()
    {
        var file = File.OpenHandle(spillPath, FileMode.CreateNew, FileAccess.ReadWrite);
        RandomAccess.Write(file, _memory.GetBuffer().AsSpan(0, (int)_length), 0);
        return file;
    }
}
