using System.Diagnostics;
using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>An input root has no size of its own: what an action writes there may fill the disk, and everybody's.</summary>
public sealed class FullDiskTests
{
    private static readonly TimeSpan FullWithin = TimeSpan.FromSeconds(30);

    [Test]
    public async Task While_an_action_fills_the_disk_what_is_stored_is_served_and_afterwards_everything_is()
    {
        using var disk = SmallDisk.TryMount(Lab.NewFolder("disk"), sizeBytes: 64 << 20);
        if (disk is null) Assert.Ignore("nothing can be mounted here");
        await using var server = await ServerProcess.StartAsync(Path.Combine(disk.Path, "data"), "--slots", "2");
        using var executor = new RawExecutor(server.GrpcAddress);
        await Walls.RequireAsync(server, "root");
        var hostile = await executor.StoreAsync(HostileProgram.Bytes);

        var keeping = executor.ExecuteAsync(new RawAction("./" + HostileProgram.Name, "keep", "/build") { Inputs = [(HostileProgram.Name, hostile, true)] });
        await Eventually.TrueAsync("the disk is full", FullWithin, () => disk.IsFull);

        var (status, content) = await executor.ReadAsync(hostile);
        Assert.That((status, RawBlob.Of(content)), Is.EqualTo((RawStatus.Ok, hostile)));
        var (refused, detail) = await executor.TryStoreAsync(new byte[1 << 20]);
        Assert.That((refused, detail.Contains("full", StringComparison.Ordinal)), Is.EqualTo((RawStatus.ResourceExhausted, true)), detail);

        using (var keeper = Process.GetProcessById(HostileProgram.Running("keep").Single())) keeper.Kill();
        Assert.That((await keeping).Stdout, Is.Empty.Or.StartsWith("ENOSPC"));

        // Its input root is removed behind its back.
        await Eventually.TrueAsync("there is room again", FullWithin, () => !disk.IsFull);
        var next = await executor.ExecuteAsync(new RawAction("/bin/echo", "fine"));
        Assert.That((next.Status, next.Stdout), Is.EqualTo((RawStatus.Ok, "fine\n")), next.ToString());
        await server.StopAsync();
    }
}
