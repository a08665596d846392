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
    private long _shown;
    private bool _isOver;
    private Exception? _failure;
    private bool _isDisposed;

    /// <summary>Called by the sandbox's reader, one call at a time, never after the run.</summary>
    /// <exception cref="IOException">It cannot be kept. That is remembered: a log with a hole is never told as a result.</exception>
    public void Write(ReadOnlySpan<byte> data)
    {
        lock (_memory)
        {
            ThrowIfFailed();
            try
            {
                Append(data);
            }
            catch (Exception failure)
            {
                _failure = failure;
                throw;
            }
        }
    }

    /// <summary>
    /// The next piece that nobody was shown yet, of what was written so far; empty when there is none, or when <paramref name="shownMax"/>
    /// bytes were shown.
    /// </summary>
    /// <param name="isOver">The command is over: from now on only who knows that takes pieces, or two would show them out of order.</param>
    public byte[] TakeUnshown(int pieceMax, long shownMax, bool isOver, out long offset)
    {
        lock (_memory)
        {
            _isOver |= isOver;
            offset = _shown;
            if (_isDisposed || _isOver != isOver || _shown >= Math.Min(_length, shownMax)) return [];
            byte[] bytes = new byte[Math.Min(pieceMax, Math.Min(_length, shownMax) - _shown)];
            if (_spill is null)
                _memory.GetBuffer().AsSpan((int)_shown, bytes.Length).CopyTo(bytes);
            else if (RandomAccess.Read(_spill, bytes, _shown) < bytes.Length)
                throw new IOException($"{spillPath} is shorter than what was written to it");
            _shown += bytes.Length;
            return bytes;
        }
    }

    /// <summary>The piece that began there did not arrive.</summary>
    public void Unshow(long offset)
    {
        lock (_memory) _shown = Math.Min(_shown, offset);
    }

    /// <summary>Nothing more of it can be shown.</summary>
    public void StopShowing()
    {
        lock (_memory) _shown = long.MaxValue;
    }

    /// <summary>
    /// What the result says about this stream. What was dropped is told in a last line of its own: a log that
    /// merely stops reads like a crash.
    /// </summary>
    /// <exception cref="IOException">Not all of it was kept.</exception>
    public async ValueTask<StoredLog> StoreAsync(
        ILocalBlobStore store, DigestFunction function, long droppedBytes, int inlineBytesMax, CancellationToken cancellationToken)
    {
        if (droppedBytes > 0)
            Write(Encoding.UTF8.GetBytes($"\n[output truncated: {droppedBytes} more bytes were dropped]\n"));
        ThrowIfFailed();
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

    private void Append(ReadOnlySpan<byte> data)
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

    private SafeFileHandle Spill()
    {
        var file = File.OpenHandle(spillPath, FileMode.CreateNew, FileAccess.ReadWrite);
        try
        {
            RandomAccess.Write(file, _memory.GetBuffer().AsSpan(0, (int)_length), 0);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    // The same kind of exception again, with its error number: who is to blame is read from it.
    private void ThrowIfFailed()
    {
        if (_failure is not null) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(_failure);
    }
}

/// <summary>A finished log: its bytes when they are few, otherwise the blob that holds them (REAPI ActionResult.stdout_raw, stdout_digest).</summary>
internal readonly record struct StoredLog(byte[] Inline, Digest? Digest)
{
    public static StoredLog Empty { get; } = new([], null);
}
