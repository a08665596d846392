using RemoteExec.Core;
using RemoteExec.Files;

namespace RemoteExec.Scheduling.Local;

/// <summary>
/// Writes the next segment beside the appends that go on into the live one.
/// <code>
/// live   ....... mark ---- appended meanwhile ---- .            (the flusher)
/// next   state, then a copy of what follows the mark . supersedes the live one
///        (a thread of its own)                       (the flusher, which copies the rest)
/// </code>
/// It owes nothing to anybody until the end: whatever fails before, for lack of room or otherwise, is given up and leaves the live
/// segment as it is.
/// </summary>
internal sealed class JournalCompaction(IEnumerable<JournalRecord> state)
{
    // Frames of about this size, so that reading them back needs no huge buffer.
    private const int StateFrameBytes = 1 << 20;

    private readonly TaskCompletionSource<bool> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Thread? _writer;
    private FramedLog? _next;
    private long _copiedTo;
    private volatile bool _isGivenUp;

    /// <summary>Whether it was done.</summary>
    public Task<bool> Done => _done.Task;

    public bool IsBegun => _writer is not null;

    /// <summary>Of the state alone.</summary>
    public long StateBytes { get; private set; }

    /// <summary>What is in the live segment until now is in the state. <paramref name="written"/> is told by the other thread.</summary>
    public void Begin(JournalSegments segments, Action<Exception?> written)
    {
        var live = segments.Live;
        _copiedTo = live.LengthBytes;
        _writer = new Thread(() =>
        {
            Exception? failure = null;
            ServingLoop.Serve(() => Write(segments, live), failed => failure = failed);
            written(failure);
        })
        {
            IsBackground = true,
            Name = "journal compaction",
        };
        _writer.Start();
    }

    /// <summary>Takes the place of the live segment: little is left to copy, and nobody appends meanwhile.</summary>
    /// <exception cref="JournalException">The journal cannot go on. Any other failure leaves it as it is.</exception>
    public void Finish(JournalSegments segments)
    {
        if (_isGivenUp || _next is not { } next) return;

        CopyAppended(segments.Live, next);
        next.Flush();
        segments.Supersede(next);
        _next = null;
    }

    /// <summary>Ends it wherever it is, and gives back the room that it took.</summary>
    public void GiveUp()
    {
        _isGivenUp = true;
        _writer?.Join();
        var next = _next;
        _next = null;
        next?.Dispose();
    }

    /// <summary>Tells whoever asked for it, last of all: they may ask for the next one at once.</summary>
    public void Tell(bool isDone) => _done.SetResult(isDone);

    private void Write(JournalSegments segments, FramedLog live)
    {
        var next = _next = segments.BeginNext();
        var frame = new FrameBuffer(JournalSegments.Format, StateFrameBytes);
        foreach (var record in state)
        {
            if (_isGivenUp) return;
            JournalCodec.Write(record, frame);
            if (frame.BodyBytes >= StateFrameBytes) Append();
        }

        if (!frame.IsEmpty) Append();
        StateBytes = next.LengthBytes;
        CopyAppended(live, next);
        // By far the most of it, so that the flusher's own flush is short.
        if (!_isGivenUp) next.Flush();

        void Append()
        {
            next.Append(frame.Seal());
            frame.Clear();
        }
    }

    private void CopyAppended(FramedLog live, FramedLog next)
    {
        long end = live.LengthBytes;
        var appended = live.ReadBetween(_copiedTo, end);
        while (!_isGivenUp && appended.TryNext(out long offset, out var frame))
        {
            if (offset != _copiedTo) throw Damaged(live, offset);
            next.Append(frame);
            _copiedTo = appended.End;
        }

        if (!_isGivenUp && _copiedTo != end) throw Damaged(live, end);
    }

    // A reader skips what it cannot read. Here that would be lost without a word: all of it is acknowledged, or about to be.
    private InvalidDataException Damaged(FramedLog live, long to) => new($"{live.Path} is damaged from byte {_copiedTo} to {to}");
}
