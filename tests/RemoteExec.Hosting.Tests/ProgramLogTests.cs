using System.Text.Json;
using NUnit.Framework;

namespace RemoteExec.Hosting.Tests;

/// <summary>The log as whoever reads standard error gets it, or does not read it.</summary>
public sealed class ProgramLogTests
{
    [Test]
    public async Task What_is_told_through_the_runtimes_own_channel_reaches_the_log()
    {
        await using var program = ScriptedProcess.Start(ScriptedLife.Trace);
        string line = await program.ReadErrorLineAsync() ?? "";
        program.Signal(ScriptedProcess.SIGTERM);
        await program.EndAsync();

        var told = JsonSerializer.Deserialize<JsonElement>(line);
        Assert.That((told.GetProperty("level").GetString(), told.GetProperty("msg").GetString()), Is.EqualTo(("error", "told to nobody")));
    }

    [Test]
    public async Task A_reader_that_stops_reading_stops_nobody_and_is_told_how_much_it_missed()
    {
        await using var program = ScriptedProcess.Start(ScriptedLife.Flood);
        Assert.That(await program.ReadLineAsync(), Is.EqualTo("welcome"));
        Assert.That(await program.ReadLineAsync(), Is.EqualTo("flooded"), "it logged everything although nobody reads");

        // Room in the queue again, before the next line is logged.
        var read = new List<string>();
        await ReadUntilAsync(() => read.Count == 1000);
        await program.TellAsync();
        await ReadUntilAsync(() => read[^1].Contains("the flood is over", StringComparison.Ordinal));
        program.Signal(ScriptedProcess.SIGTERM);
        await program.EndAsync();

        int[] dropped = [.. read.Where(line => !line.StartsWith('{')).Select(notice => int.Parse(notice.Split(' ')[0]))];
        Assert.That(dropped, Is.Not.Empty);
        Assert.That(
            read.Count(line => line.Contains("a drop in the flood", StringComparison.Ordinal)) + dropped.Sum(), Is.EqualTo(ScriptedProgram.FloodLines));

        async Task ReadUntilAsync(Func<bool> isEnough)
        {
            do
                read.Add(await program.ReadErrorLineAsync() ?? throw new AssertionException("the log ended"));
            while (!isEnough());
        }
    }
}
