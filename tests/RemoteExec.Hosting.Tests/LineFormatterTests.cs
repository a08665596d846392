using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using NUnit.Framework;

namespace RemoteExec.Hosting.Tests;

public sealed class LineFormatterTests
{
    [Test]
    public void A_json_line_carries_time_level_room_event_and_fields()
    {
        using var json = JsonDocument.Parse(Line(json: true, "evicted 3 blobs"));
        var root = json.RootElement;

        Assert.Multiple(() =>
        {
            Assert.That(root.GetProperty("ts").GetString(), Is.EqualTo("2026-01-02T03:04:05.678Z"));
            Assert.That(root.GetProperty("level").GetString(), Is.EqualTo("warn"));
            Assert.That(root.GetProperty("source").GetString(), Is.EqualTo("DiskBlobStore"));
            Assert.That(root.GetProperty("event").GetString(), Is.EqualTo("Evicted"));
            Assert.That(root.GetProperty("msg").GetString(), Is.EqualTo("evicted 3 blobs"));
            Assert.That(root.GetProperty("blobs").GetString(), Is.EqualTo("3"));
            Assert.That(root.TryGetProperty("{OriginalFormat}", out _), Is.False);
        });
    }

    [Test]
    public void A_readable_line_carries_time_level_room_and_words() =>
        Assert.That(Line(json: false, "evicted 3 blobs"), Is.EqualTo("03:04:05.678 warn  DiskBlobStore: evicted 3 blobs\n"));

    [TestCase("two\nlines")]
    [TestCase("bell \a and \u001b[31mred")]
    [TestCase("\u202etxt.exe\u2028next\u0085line")]
    [TestCase("{\"looks\":\"like json\"}\r\n{\"level\":\"fatal\"}")]
    public void Hostile_text_stays_on_one_line_without_terminal_escapes(string message)
    {
        foreach (bool json in new[] { true, false })
        {
            string line = Line(json, message, new InvalidOperationException(message))[..^1];

            Assert.That(line, Does.Not.Contain('\n').And.Not.Contain('\r').And.Not.Contain('\u001b').And.Not.Contain('\a'));
            Assert.That(line.AsSpan().IndexOfAny("\u202e\u2028\u0085"), Is.Negative, "nor what turns it around or ends it elsewhere");
        }
    }

    [TestCase(true)]
    [TestCase(false)]
    public void A_message_of_ten_megabytes_is_cut(bool json) => Assert.That(Line(json, new string('x', 10_000_000)), Has.Length.LessThan(10_000));

    private static string Line(bool json, string message, Exception? exception = null)
    {
        IReadOnlyList<KeyValuePair<string, object?>> fields = [new("blobs", 3), new("{OriginalFormat}", "…")];
        var entry = new LogEntry<IReadOnlyList<KeyValuePair<string, object?>>>(
            LogLevel.Warning, "RemoteExec.Storage.DiskBlobStore", new EventId(0, "Evicted"), fields, exception, (_, _) => message);
        using var output = new StringWriter();
        new LineFormatter(json, new FixedTime()).Write(entry, scopeProvider: null, output);
        return output.ToString();
    }

    private sealed class FixedTime : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => new(2026, 1, 2, 3, 4, 5, 678, TimeSpan.Zero);
    }
}
