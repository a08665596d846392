using System.Text;
using Grpc.Core;

namespace RemoteExec.Client.Tests;

/// <summary>What was shown of a running action is counted exactly, however its stream ends.</summary>
public sealed class LiveOutputTests
{
    private readonly ScriptedLogs _server = new();
    private readonly MemoryStream _shown = new();

    private string Shown => Encoding.UTF8.GetString(_shown.ToArray());

    [Test]
    public async Task What_was_shown_when_the_action_ends_is_counted()
    {
        await using var live = new LiveOutput(_server, _shown);
        live.Follow("log");
        await _server.SayAsync("log", "one ");
        await _server.SayAsync("log", "two");
        await _server.TakenAsync("log"); // the stream goes on, and nobody waits for its end

        Assert.That(await live.FinishAsync("log"), Is.EqualTo(7));
        Assert.That(Shown, Is.EqualTo("one two"));
    }

    [TestCase(StatusCode.OK)]
    [TestCase(StatusCode.NotFound)]
    [TestCase(StatusCode.Unavailable)]
    public async Task However_the_stream_ends_what_was_shown_stands(StatusCode end)
    {
        await using var live = new LiveOutput(_server, _shown);
        live.Follow("log");
        await _server.SayAsync("log", "so far");
        _server.End("log", end);
        await _server.TakenAsync("log");

        Assert.That(await live.FinishAsync("log"), Is.EqualTo(6));
        Assert.That(Shown, Is.EqualTo("so far"));
    }

    [Test]
    public async Task The_same_name_again_changes_nothing()
    {
        await using var live = new LiveOutput(_server, _shown);
        live.Follow("log");
        live.Follow("");
        live.Follow("log");
        await _server.SayAsync("log", "once");
        await _server.TakenAsync("log");

        Assert.That(await live.FinishAsync("log"), Is.EqualTo(4));
        Assert.That(_server.Reads, Is.EqualTo(new[] { "log" }));
    }

    [Test]
    public async Task Another_attempt_is_shown_and_counted_from_its_beginning()
    {
        await using var live = new LiveOutput(_server, _shown);
        live.Follow("first");
        await _server.SayAsync("first", "lost ");
        await _server.TakenAsync("first");
        live.Follow("second");
        await _server.SayAsync("second", "again");
        await _server.TakenAsync("second");

        Assert.That(await live.FinishAsync("second"), Is.EqualTo(5));
        Assert.That(Shown, Is.EqualTo("lost again"));
    }

    [Test]
    public async Task Of_a_stream_that_was_not_followed_nothing_was_shown()
    {
        await using var live = new LiveOutput(_server, _shown);
        live.Follow("first");
        await _server.SayAsync("first", "lost");
        await _server.TakenAsync("first");

        Assert.That(await live.FinishAsync("second"), Is.Zero);
    }
}
