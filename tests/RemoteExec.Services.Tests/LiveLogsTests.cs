using System.Text;
using NUnit.Framework;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Scheduling;

namespace RemoteExec.Services.Tests;

/// <summary>The table of logs by itself: its bounds, its fences, its time.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class LiveLogsTests
{
    private static readonly LeaseId Lease = new(new ExecutionId(1), 1);

    private readonly ManualTime _time = new();
    private readonly HashSet<LeaseId> _leased = [Lease];

    private LiveLogs Create(ServicesOptions options) => new(lease => _leased.Contains(lease) ? Request() : null, options, _time);

    private static ExecutionRequest Request() => new()
    {
        Instance = InstanceName.Empty,
        Action = Digest.Empty(DigestFunction.Sha256),
        Platform = Platform.Empty,
        Timeout = TimeSpan.FromHours(1),
    };

    private static void Append(LiveLogs logs, long offset, string text, LeaseId? lease = null) =>
        logs.Append(lease ?? Lease, OutputStream.Stdout, InstanceName.Empty, offset, Encoding.UTF8.GetBytes(text));

    private static string Kept(LiveLogs logs, LeaseId? lease = null) =>
        Encoding.UTF8.GetString(logs.Peek(lease ?? Lease, OutputStream.Stdout, newestBytesMax: 0).Head.Span);

    private static string Newest(LiveLogs logs, int bytesMax = int.MaxValue) =>
        Encoding.UTF8.GetString(logs.Peek(Lease, OutputStream.Stdout, bytesMax).Newest.Span);

    private static string Read(LiveLog log, long from, out long? end)
    {
        var text = new StringBuilder();
        while (log.Read(from, out end, out _, out _) is { IsEmpty: false } piece)
        {
            text.Append(Encoding.UTF8.GetString(piece.Span));
            from += piece.Length;
        }

        return text.ToString();
    }

    private static LiveLog? Open(LiveLogs logs, LeaseId? lease = null) =>
        logs.Open(new LogStreamName(InstanceName.Empty, lease ?? Lease, OutputStream.Stdout));

    private static LeaseId Other(int number) => new(new ExecutionId((UInt128)number), 1);

    [Test]
    public void Pieces_follow_each_other_and_what_was_there_before_is_not_taken_twice()
    {
        using var logs = Create(new ServicesOptions());
        Append(logs, 0, "abc");
        Append(logs, 3, "def");
        Append(logs, 0, "abc");
        Append(logs, 5, "fgh");

        Assert.That(Kept(logs), Is.EqualTo("abcdefgh"));
    }

    [TestCase(-1)]
    [TestCase(long.MaxValue)]
    public void After_a_piece_that_is_nowhere_nothing_more_is_taken(long offset)
    {
        using var logs = Create(new ServicesOptions());
        Append(logs, 0, "abc");
        Append(logs, offset, "e");
        Append(logs, 3, "d");

        Assert.That(Kept(logs), Is.EqualTo("abc"));
        Assert.That(Open(logs)!.IsEnded);
    }

    [Test]
    public void After_a_gap_the_newest_is_kept_and_who_reads_along_ends_where_he_stands()
    {
        using var logs = Create(new ServicesOptions());
        Append(logs, 0, "abc");
        Append(logs, 10, "klm");
        Append(logs, 3, "d");
        Append(logs, 13, "n");

        Assert.That((Kept(logs), Newest(logs), Newest(logs, bytesMax: 2)), Is.EqualTo(("abc", "klmn", "mn")));
        Assert.That((Read(Open(logs)!, 0, out long? end), end), Is.EqualTo(("abc", (long?)3)));
        Assert.That((Read(Open(logs)!, 11, out end), end), Is.EqualTo(("lmn", (long?)null)), "who is behind it reads on");
    }

    [Test]
    public void F16_who_reads_along_gets_all_of_a_log_that_outgrows_its_head_and_who_comes_late_the_head()
    {
        using var logs = Create(new ServicesOptions { Limits = new Limits { LiveOutputBytesMax = 32 } }); // and a window of as many
        var along = new StringBuilder();
        var all = new StringBuilder();
        for (int number = 0; number < 50; number++)
        {
            string piece = $"{number},";
            Append(logs, all.Length, piece);
            all.Append(piece);
            along.Append(Read(Open(logs)!, along.Length, out long? end));
            Assert.That(end, Is.Null, "it goes on");
        }

        Assert.That(along.ToString(), Is.EqualTo(all.ToString()));
        Assert.That((Read(Open(logs)!, 0, out long? endOfLate), endOfLate), Is.EqualTo((all.ToString()[..32], (long?)32)));
        Assert.That(all.ToString(), Does.EndWith(Newest(logs)));
        Assert.That(Newest(logs), Has.Length.InRange(29, 32));
        logs.End(Lease);
        Assert.That((Read(Open(logs)!, all.Length, out long? last), last), Is.EqualTo(("", (long?)all.Length)));
    }

    [Test]
    public void All_logs_together_have_a_bound_and_the_one_that_is_over_the_longest_goes_first()
    {
        var options = new ServicesOptions { LiveLogsBytesMax = 4000 };
        using var logs = Create(options);
        string text = new('x', 1000);
        foreach (int number in (int[])[2, 3]) Append(logs, 0, text, Other(number));
        logs.End(Other(3));
        logs.End(Other(2));

        Append(logs, 0, text);
        Assert.That((Kept(logs).Length, Kept(logs, Other(2)).Length, Kept(logs, Other(3)).Length), Is.EqualTo((1000, 1000, 0)));

        Append(logs, 1000, text);
        Append(logs, 2000, new string('y', 2000));
        Assert.That(Kept(logs), Has.Length.EqualTo(2000), "nothing but itself is left to make room for it");
        Assert.That(Open(logs)!.IsEnded);
        Assert.That(logs.Bytes, Is.LessThanOrEqualTo(options.LiveLogsBytesMax));
    }

    [Test]
    public void A_log_is_kept_for_a_while_after_its_attempt_and_then_its_memory_is_given_back()
    {
        var options = new ServicesOptions();
        using var logs = Create(options);
        Append(logs, 0, "abc");
        _leased.Clear();
        logs.End(Lease);
        _time.Advance(options.LiveLogKeep - TimeSpan.FromSeconds(1));
        Assert.That(Kept(logs), Is.EqualTo("abc"));

        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.That(Open(logs), Is.Null);
        Assert.That(logs.Bytes, Is.Zero);
    }

    [Test]
    public void A_log_that_was_cut_is_kept_for_as_long_as_its_attempt_runs()
    {
        var options = new ServicesOptions { Limits = new Limits { LiveOutputBytesMax = 3 } };
        using var logs = Create(options);
        Append(logs, 0, "abcdef");
        _time.Advance(options.LiveLogKeep * 3);

        Assert.That((Kept(logs), Newest(logs)), Is.EqualTo(("abc", "def")));
    }

    [Test]
    public void An_attempt_that_ends_without_a_report_ends_its_log()
    {
        using var logs = Create(new ServicesOptions());
        Append(logs, 0, "abc");
        var log = Open(logs)!;
        _leased.Clear();
        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.That(log.IsEnded);
        Assert.That(Kept(logs), Is.EqualTo("abc"));
    }

    [Test]
    public void An_attempt_that_cannot_be_asked_about_keeps_no_other_log_from_being_swept()
    {
        var unheardOf = Other(0);
        using var logs = new LiveLogs(
            lease => lease == unheardOf ? throw new UnheardOfException() : _leased.Contains(lease) ? Request() : null, new ServicesOptions(), _time);
        foreach (int number in (int[])[2, 0, 3]) Append(logs, 0, "abc", Other(number)); // neither the first nor the last is it
        var after = new[] { Open(logs, Other(2))!, Open(logs, Other(3))! };
        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.That(after.Select(log => log.IsEnded), Is.All.True);
        _time.Advance(new ServicesOptions().LiveLogKeep);
        Assert.That((Kept(logs, Other(2)), Kept(logs, unheardOf)), Is.EqualTo(("", "abc")));
    }

    [Test]
    public async Task A_reader_that_waits_hears_of_more_and_of_the_end()
    {
        using var logs = Create(new ServicesOptions());
        var log = Open(logs)!;
        Assert.That(log.Read(0, out _, out _, out var first).IsEmpty);
        Append(logs, 0, "abc");
        await first;
        Assert.That(log.Read(0, out long? end, out _, out _).Length, Is.EqualTo(3));
        Assert.That(end, Is.Null);

        log.Read(3, out _, out _, out var last);
        logs.End(Lease);
        await last;
        Assert.That(log.Read(3, out end, out _, out _).IsEmpty);
        Assert.That(end, Is.EqualTo(3));
    }

    [Test]
    public void An_attempt_that_nobody_runs_has_no_log()
    {
        using var logs = Create(new ServicesOptions());

        Assert.That(Open(logs, Lease with { Attempt = 2 }), Is.Null);
        Assert.That(Open(logs), Is.Not.Null);
    }
}
