using System.Globalization;
using RemoteExec.Files;

namespace RemoteExec.Scheduling.Local;

/// <summary>
/// The files of a journal. Exactly one is live: it begins with the whole state as of its making, gets its name only when that is
/// durable, and supersedes those with lower numbers.
/// </summary>
internal sealed class JournalSegments(string directory, IDisk disk, Action<string> warn) : IDisposable
{
    public static readonly FrameFormat Format = new()
    {
        Magic = "RXJOURN1",
        // Far above what one group of transitions takes.
        BodyBytesMax = 1 << 30,
    };

    private const string Prefix = "journal-";
    private const string Suffix = ".log";

    private readonly List<string> _superseded = [];
    private FramedLog? _live;

    public FramedLog Live => _live ?? throw new InvalidOperationException("the journal has not been recovered yet");

    /// <summary>Opens the live segment, or the first one ever, and reads what is in it. Superseded and unfinished files are removed.</summary>
    public void Recover(ICollection<JournalRecord> records)
    {
        DurableDirectory.Create(disk, directory);
        string[] files = [.. Directory.GetFiles(directory, Prefix + "*" + Suffix).Where(path => NumberOf(path) >= 0).OrderBy(NumberOf)];
        if (files.Length == 0)
        {
            var first = Begin(number: 1);
            first.Flush();
            Publish(first);
            return;
        }

        // A file gets its name only after its header is durable, so this is not a crash.
        _live = FramedLog.TryOpen(files[^1], Format, disk, isAlone: true, out string? fault)
            ?? throw Damaged($"{files[^1]} is not an operation journal: it {fault}");
        ReadAll(_live, records);

        // Only now that the live one is open, which nobody else can have open: these are leftovers, not another's work.
        _superseded.AddRange(files[..^1]);
        _superseded.AddRange(Directory.GetFiles(directory, Prefix + "*" + FramedLog.UnfinishedSuffix));
        RemoveSuperseded();
    }

    /// <summary>Begins what may become the next live segment.</summary>
    public FramedLog BeginNext() => Begin(NumberOf(Live.Path) + 1);

    /// <summary>Makes a segment that is whole and durable the live one. A failure before that leaves all as it is.</summary>
    /// <exception cref="JournalException">Which of the two a restart would find cannot be known.</exception>
    public void Supersede(FramedLog next)
    {
        var old = Live;
        Publish(next);

        // The new one counts from its rename on; if we crash here, recovery removes the old one.
        old.Dispose();
        _superseded.Add(old.Path);
        RemoveSuperseded();
    }

    public void Dispose() => _live?.Dispose();

    private static long NumberOf(string path)
    {
        var name = Path.GetFileName(path.AsSpan())[Prefix.Length..^Suffix.Length];
        return long.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : -1;
    }

    private static void ReadAll(FramedLog log, ICollection<JournalRecord> records)
    {
        var reader = log.ReadAll();
        for (long end = reader.End; reader.TryNext(out long offset, out var frame); end = reader.End)
        {
            // Only the last frame can be torn: the next one is written after it is durable. Something intact behind means
            // that the disk, or somebody, changed what we had been promised.
            if (offset != end) throw Damaged($"{log.Path} is damaged from byte {end} to {offset}");
            JournalCodec.ReadAll(frame[Format.HeadBytes..], records);
        }

        // What a crash left unfinished: nobody had been told of it.
        if (log.LengthBytes == reader.End) return;
        log.CutAt(reader.End);
        log.Flush();
    }

    private static JournalException Damaged(string what) => new(
        $"{what}. Restore it from a copy, or move it away to start with an empty queue: clients will ask again for what they still need");

    private FramedLog Begin(long number) => FramedLog.Begin(
        Path.Combine(directory, Prefix + number.ToString("d12", CultureInfo.InvariantCulture) + Suffix), Format, disk, isAlone: true);

    private void Publish(FramedLog segment)
    {
        segment.Publish();
        try
        {
            DurableDirectory.Flush(disk, directory);
        }
        catch (IOException failed)
        {
            throw new JournalException($"{segment.Path} may not keep its name: {failed.Message}", failed);
        }

        _live = segment;
    }

    /// <summary>A file that cannot be removed takes room and changes nothing: the next compaction, or the next start, tries again.</summary>
    private void RemoveSuperseded() => _superseded.RemoveAll(path =>
    {
        try
        {
            File.Delete(path);
            return true;
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            warn($"the operation journal's old file {path} cannot be removed, it is tried again later: {failed.Message}");
            return false;
        }
    });
}
