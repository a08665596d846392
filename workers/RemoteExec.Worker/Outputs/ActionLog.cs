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

    // Also the lock between the sandbox's reader and who shows the log meanwhile: one object less for each action.
    private readonly MemoryStream _memory = new();
    private SafeFileHandle? _spill;
    private long _length;
    private bool _isDisposed;

    /// <summary>How much of it was shown live. Only <see cref="LiveOutputs"/> knows and cares.</summary>
    public long ShownBytes { get; set; }

    /// <summary>Called by the sandbox's reader, one call at a time, never after the run.</summary>
    public void Write(ReadOnlySpan<byte> data)
    {
        lock (_memory)
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
    }

    /// <summary>What was written so far from <paramref name="offset"/> on, at most so many bytes; empty when that is nothing.</summary>
    public byte[] Read(long offset, int bytesMax)
    {
        lock (_memory)
        {
            if (_isDisposed || offset >= _length) return [];
            byte[] bytes = new byte[Math.Min(bytesMax, _length - offset)];
            if (_spill is null)
                _memory.GetBuffer().AsSpan((int)offset, bytes.Length).CopyTo(bytes);
            else if (RandomAccess.Read(_spill, bytes, offset) < bytes.Length)
                return []; // an action's own file would not shrink; whoever stores the result says what is wrong
            return bytes;
        }
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
        lock (_memory)
        {
            _isDisposed = true;
            _spill?.Dispose();
            _memory.Dispose();
        }
    }

    private SafeFileHandle Spill()
    {
        var file = File.OpenHandle(spillPath, FileMode.CreateNew, FileAccess.ReadWrite);
        RandomAccess.Write(file, _memory.GetBuffer().AsSpan(0, (int)_length), 0);
        return file;
    }
}
