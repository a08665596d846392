using NUnit.Framework;
using static RemoteExec.Conformance.RawMessage;

namespace RemoteExec.EndToEnd;

/// <summary>What a client is told of an action's use of its machine.</summary>
public sealed class UsageTests
{
    private const string Ours = "type.googleapis.com/google.protobuf.Struct";
    private const string Buildbarns = "type.googleapis.com/buildbarn.resourceusage.POSIXResourceUsage";

    [Test] // REAPI T2
    public async Task A_client_is_told_what_an_action_used_in_our_words_and_in_Buildbarns_and_with_a_hit_again()
    {
        await using var server = await ServerProcess.StartAsync(Lab.NewFolder("server"), "--slots", "1", "--sandbox", "degrade", "--buildbarn-usage");
        await Walls.RequireAsync(server, "root", "processes");
        using var executor = new RawExecutor(server.GrpcAddress);
        var action = new RawAction("/bin/sh", "-c", "kill -SEGV $$") { IsCached = true };

        var killed = await executor.ExecuteAsync(action);
        Assert.That(killed.Notes.Keys, Is.EquivalentTo([Ours, Buildbarns]));
        Assert.That(killed.Notes[Buildbarns].Text(17), Is.EqualTo("SEGV"));

        action = new RawAction("/bin/sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; sleep 0.01") { IsCached = true };
        var ran = (await executor.ExecuteAsync(action)).Notes[Buildbarns];
        Assert.Multiple(() =>
        {
            Assert.That(Seconds(ran.Message(1)) + Seconds(ran.Message(2)), Is.InRange(0.001, 600), "user_time, system_time");
            Assert.That(ran.Number(3), Is.InRange(64 << 10, 1L << 40), "maximum_resident_set_size");
            Assert.That(ran.Number(7), Is.InRange(10, 10_000_000), "page_reclaims");
            Assert.That(ran.Number(15), Is.InRange(1, 10_000_000), "voluntary_context_switches");
            Assert.That(ran.Text(17), Is.Empty, "termination_signal");
        });

        // google.longrunning.Operation of a hit, the action cache asked this time.
        var hit = await executor.RunAsync(Of((6, RawBlob.Of(action.ToBlobs()[^1]).ToMessage())));
        Assert.That(hit.Notes.Keys, Is.EquivalentTo([Ours, Buildbarns]));
        Assert.That(hit.Notes[Buildbarns].Number(7), Is.EqualTo(ran.Number(7)));
        await server.StopAsync();
    }

    // google.protobuf.Duration
    private static double Seconds(RawFields duration) => duration.Number(1) + (duration.Number(2) / 1e9);
}
