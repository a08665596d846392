using System.Runtime.ExceptionServices;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// Remembers uses across restarts, so that the order of eviction and the promises survive (<see cref="UseRecords"/>). Written
/// before an answer leaves, never flushed: a killed process loses nothing, and after a loss of power the boot id differs and every
/// promise is renewed instead.
/// </summary>
/// <remarks>
/// A disk that takes nothing stops nobody: what could not be written is kept for the next time, and meanwhile the file says that
/// it is not complete, so that a restart renews every promise rather than break one.
/// </remarks>
internal sealed class UseLog : IUseRecorder, IDisposable
{
    private const int BufferedBytesMax = 1 << 20;

    // Rewritten when the appended part outweighs the living part by this much: it is what the next start has to look for, use by use.
    private const long CompactionSlackBytes = 16 << 20;

    // A disk without room is not asked for a whole log at every request.
    private static readonly TimeSpan RewriteRetryInterval = TimeSpan.FromSeconds(30);

    private readonly string _path;
    private readonly IDisk _disk;
    private readonly SteadyTime _time;
    private readonly Action<Exception> _refused;
    private readonly Lock _gate = new();
    private readonly FrameBuffer _uses = new(UseRecords.Frames, 4096);
    private UseFile? _file;
    private UseFile? _next;
    private bool _isRewriting;
    private bool _isUnsure;
    private long? _rewriteFailedAt;
    private long _compactedBytes;

    private UseLog(string path, UseFile? file, IDisk disk, SteadyTime time, Action<Exception> refused) =>
        (_path, _file, _disk, _time, _refused) = (path, file, disk, time, refused);

    /// <summary>Asked before a log is written anew: which segments it may speak for.</summary>
    public Func<IReadOnlyCollection<SegmentClaim>> Claims { get; set; } = () => [];

    /// <summary>More was appended than a fresh log would hold, or something is missing: call <see cref="TryRewrite"/>, away from whoever waits.</summary>
    public bool WantsRewrite
    {
        get
        {
            lock (_gate)
            {
                if (_isRewriting || (_rewriteFailedAt is { } failedAt && _time.GetElapsedTime(failedAt) < RewriteRetryInterval)) return false;
                return _file is null || (_file.HasGaps && !_isUnsure) || _file.LengthBytes > (2 * _compactedBytes) + CompactionSlackBytes;
            }
        }
    }

    /// <summary>Goes on with the log that <paramref name="history"/> was read from; a full disk is no obstacle.</summary>
    /// <param name="time">Uses are by this clock, of this run and of those before (<see cref="UseHistory.Continue"/>).</param>
    /// <param name="refused">Told why the disk does not take uses.</param>
    public static UseLog Open(string path, UseHistory history, IDisk disk, SteadyTime time, Action<Exception> refused) =>
        new(path, UseFile.TryContinue(path, history, disk), disk, time, refused);

    /// <summary>So many blobs are there: what the log has beyond a use of each is to spare.</summary>
    public void Expect(int blobs)
    {
        lock (_gate) _compactedBytes = UseRecords.LengthOf(blobs);
    }

    public void Record(in Digest digest, long useMs)
    {
        lock (_gate)
        {
            if (_uses.BodyBytes > BufferedBytesMax && !TryWrite(out _))
            {
                // The index remembers it, and a log that is written anew will have it.
                _file?.Miss();
                _next?.Miss();
                return;
            }

            UseRecords.Write(_uses, new BlobUse(digest, useMs));
        }
    }

    /// <summary>Hands everything recorded to the kernel. Returns after the records of other threads that were before us, too.</summary>
    public void Flush()
    {
        Exception? failure;
        lock (_gate)
        {
            if (TryWrite(out failure)) return;
        }

        _refused(failure!); // why it could not
    }

    /// <summary>
    /// Replaces the log by one that holds each living blob once. Nobody waits meanwhile: both logs get the uses of now, and the index
    /// gives those of before in slices. False when it could not be done, for lack of room for one: then the old log goes on.
    /// </summary>
    public bool TryRewrite(BlobIndex index)
    {
        lock (_gate)
        {
            if (_isRewriting) return false;
            _isRewriting = true;
        }

        // A failure concerns nobody: the old log goes on, and whoever stores something meets the disk's fault by themselves.
        bool isDone = ServingLoop.Serve(() => Rewrite(index), static _ => { });
        lock (_gate)
        {
            _isRewriting = false;
            _rewriteFailedAt = isDone ? null : _time.GetTimestamp();
            if (isDone) return true;

            _next?.Dispose();
            _next = null;
            return false;
        }
    }

    /// <summary>
    /// The disk may have lost files without saying so again: however this run ends, the next one takes the log for that of another boot, and
    /// nothing unflushed for granted.
    /// </summary>
    public void Doubt()
    {
        lock (_gate)
        {
            _isUnsure = true;
            _file?.Miss();
            _next?.Miss();
        }
    }

    /// <summary>Ends the log in order: the next run trusts it to the millisecond. On a full disk it trusts it as after a kill.</summary>
    public void Close(BlobIndex index)
    {
        if (!TryRewrite(index)) return;
        lock (_gate) _file!.Close(); // it was just written
    }

    public void Dispose() => _file?.Dispose();

    private void Rewrite(BlobIndex index)
    {
        var next = UseFile.Begin(_path, _time.Read(), _disk);
        lock (_gate)
        {
            _next = next;
            if (_isUnsure) next.Miss();
        }

        var claims = Claims();
        var frame = new FrameBuffer(UseRecords.Frames, 4096);
        if (claims.Count > 0)
        {
            lock (_gate) Append(next, UseRecords.FrameOf(claims));
        }

        index.RecordAll(slice =>
        {
            if (claims.Count > 0) UseRecords.WritePlaced(frame, slice);
            else foreach (var use in slice) UseRecords.Write(frame, use);
            lock (_gate) Append(next, frame.Seal());
            frame.Clear();
        });

        next.Publish();
        lock (_gate)
        {
            // What waits for room waits for it in the new log.
            _file?.Dispose();
            (_file, _next) = (next, null);
            _compactedBytes = next.LengthBytes;
        }
    }

    private static void Append(UseFile file, Span<byte> frame)
    {
        if (!file.TryAppend(frame, out var failure)) ExceptionDispatchInfo.Throw(failure!); // why it could not
    }

    /// <summary>Under the lock. What is not taken stays in the buffer.</summary>
    private bool TryWrite(out Exception? failure)
    {
        failure = null;
        if (_uses.IsEmpty) return true;

        var frame = _uses.Seal();
        if (_next is not null && !_next.TryAppend(frame, out failure)) _next.Miss();
        if (_file is not null && !_file.TryAppend(frame, out failure)) return false;

        _uses.Clear();
        return true;
    }
}
