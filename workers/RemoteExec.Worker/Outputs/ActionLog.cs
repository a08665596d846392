using Microsoft.Win32.SafeHandles;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>
/// One of an action's two streams while it runs: in memory while it is small, then in a file of the work
/// directory, so that slots times the limit never sits in memory. Of one that is longer than the limit the head and the tail are kept: what
/// went wrong stands in the last lines.
/// <code>
/// file: | head, written once | tail, written round and round |
/// </code>
/// </summary>
internal sealed class ActionLog(string spillPath, long bytesMax) : IDisposable
{
    private const int MemoryBytesMax = 128 * 1024;
    private const int CopyBytes = 1 << 20;

    // Also the lock between the sandbox's reader and who shows the log meanwhile: one object less for each action.
    private readonly MemoryStream _memory = new();
    private SafeFileHandle? _spill;
    private long _length;
    private long _shown;
    private bool _isOver;
    private Exception? _failure;
    private bool _isDisposed;

    /// <summary>The first part of what is kept of a log that is too long; the rest is its end.</summary>
    public long HeadBytes => bytesMax - (bytesMax / 2);

    /// <summary>What is missing between head and tail.</summary>
    public long DroppedBytes => Math.Max(0, _length - bytesMax);

    private long TailBytes => bytesMax / 2;

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
    /// The next piece that nobody was shown yet, of what was written so far; empty when there is none.
    /// </summary>
    /// <param name="backMax">Who is further back than this, or than what is kept, is not caught up with: what lies between is left out.</param>
    /// <param name="newestMax">Then it goes on so far from the end.</param>
    /// <param name="isOver">The command is over: from now on only who knows that takes pieces, or two would show them out of order.</param>
    public byte[] TakeUnshown(int pieceMax, long backMax, long newestMax, bool isOver, out long offset)
    {
        lock (_memory)
        {
            _isOver |= isOver;
            // Of what is behind the head only the tail is there, and its place in the file is written again when this lock is left.
            long back = _length - _shown;
            if (back > backMax || (back > TailBytes && _shown >= HeadBytes)) _shown = _length - Math.Min(newestMax, TailBytes);
            offset = _shown;
            if (_isDisposed || _isOver != isOver || _shown >= _length) return [];
            byte[] bytes = new byte[Math.Min(Math.Min(pieceMax, _length - _shown), RoomAt(_shown, out long place))];
            if (_spill is null)
                _memory.GetBuffer().AsSpan((int)_shown, bytes.Length).CopyTo(bytes);
            else if (RandomAccess.Read(_spill, bytes, place) < bytes.Length)
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

    /// <summary>What the result says about this stream.</summary>
    /// <exception cref="IOException">Not all of it was kept.</exception>
    public async ValueTask<StoredLog> StoreAsync(
        ILocalBlobStore store, DigestFunction function, int inlineBytesMax, CancellationToken cancellationToken)
    {
        ThrowIfFailed();
        if (_length == 0) return StoredLog.Empty;
        if (_length <= inlineBytesMax && _spill is null) return new StoredLog(_memory.ToArray(), Digest: null);
        if (_spill is null)
            return new StoredLog([], await store.WriteAllAsync(function, _memory.GetBuffer().AsMemory(0, (int)_length), cancellationToken));
        if (DroppedBytes == 0) return new StoredLog([], await store.ImportFileAsync(function, _spill, cancellationToken));

        using var whole = Straighten();
        return new StoredLog([], await store.ImportFileAsync(function, whole, cancellationToken));
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
        if (_spill is null && _length + data.Length <= Math.Min(MemoryBytesMax, bytesMax))
        {
            _memory.Write(data);
            _length += data.Length;
            return;
        }

        _spill ??= Spill();
        while (!data.IsEmpty)
        {
            var piece = data[..(int)Math.Min(data.Length, RoomAt(_length, out long place))];
            RandomAccess.Write(_spill, piece, place);
            _length += piece.Length;
            data = data[piece.Length..];
        }
    }

    /// <summary>Where a byte of the stream stands in the file, and how many may follow it there.</summary>
    private long RoomAt(long offset, out long place)
    {
        if (offset < HeadBytes)
        {
            place = offset;
            return HeadBytes - offset;
        }

        long round = (offset - HeadBytes) % TailBytes;
        place = HeadBytes + round;
        return TailBytes - round;
    }

    /// <summary>Head and tail in the order in which they were written.</summary>
    private SafeFileHandle Straighten()
    {
        var straight = File.OpenHandle(spillPath + ".whole", FileMode.Create, FileAccess.ReadWrite);
        try
        {
            byte[] buffer = new byte[CopyBytes];
            long written = 0;
            for (long offset = 0; offset < _length;)
            {
                int count = RandomAccess.Read(_spill!, buffer.AsSpan(0, (int)Math.Min(Math.Min(buffer.Length, RoomAt(offset, out long place)), _length - offset)), place);
                if (count == 0) throw new IOException($"{spillPath} is shorter than what was written to it");
                RandomAccess.Write(straight, buffer.AsSpan(0, count), written);
                written += count;
                offset += count;
                if (offset == HeadBytes) offset = _length - TailBytes;
            }

            return straight;
        }
        catch
        {
            straight.Dispose();
            throw;
        }
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
