using System.Text.Json;
using Microsoft.Extensions.Logging;
using NUnit.Framework;

namespace RemoteExec.Hosting.Tests;

public sealed class LogLineTests
{
    private static LogEvent Entry(string message, Exception? exception = null) => new(
        new DateTimeOffset(2026, 1, 2, 3, 4, 5, 678, TimeSpan.Zero), LogLevel.Warning, "DiskBlobStore", "Evicted", message,
        [new("blobs", 3), new("{OriginalFormat}", "…")], exception);

    [Test]
    public void A_json_line_carries_time_level_room_event_and_fields()
    {
        using var json = JsonDocument.Parse(LogLine.ToJson(Entry("evicted 3 blobs")));
        var root = json.RootElement;

        Assert.Multiple(() =>
        {
            Assert.That(root.GetProperty("ts").GetString(), Is.EqualTo("2026-01-02T03:04:05.678Z"));
            Assert.That(root.GetProperty("level").GetString(), Is.EqualTo("warn"));
            Assert.That(root.GetProperty("room").GetString(), Is.EqualTo("DiskBlobStore"));
            Assert.That(root.GetProperty("event").GetString(), Is.EqualTo("Evicted"));
            Assert.That(root.GetProperty("blobs").GetString(), Is.EqualTo("3"));
            Assert.That(root.TryGetProperty("{OriginalFormat}", out _), Is.False);
        });
    }

    [TestCase("two\nlines")]
    [TestCase("bell \a and \u001b[31mred")]
    [TestCase("\u202etxt.exe\u2028next\u0085line")]
    [TestCase("{\"looks\":\"like json\"}\r\n{\"level\":\"fatal\"}")]
    public void Hostile_text_stays_on_one_line_without_terminal_escapes(string message)
    {
        foreach (string line in new[] { LogLine.ToJson(Entry(message)), LogLine.ToText(Entry(message, new InvalidOperationException(message))) })
        {
            Assert.That(line, Does.Not.Contain('\n').And.Not.Contain('\r').And.Not.Contain('\u001b').And.Not.Contain('\a'));
            Assert.That(line.AsSpan().IndexOfAny("\u202e\u2028\u0085"), Is.Negative, "nor what turns it around or ends it elsewhere");
        }
    }

    [Test]
    public void A_message_of_ten_megabytes_is_cut()
    {
        Assert.That(LogLine.ToJson(Entry(new string('x', 10_000_000))), Has.Length.LessThan(10_000));
        Assert.That(LogLine.ToText(Entry(new string('x', 10_000_000))), Has.Length.LessThan(10_000));
    }
}
