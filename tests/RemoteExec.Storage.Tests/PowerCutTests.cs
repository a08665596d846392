using System.Diagnostics;
using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

/// <summary>
/// S1 and S2: the file system as a loss of power leaves it. The writer is stopped at a random instant, and the image
/// that its file system lies on is copied: what never reached the disk is not in the copy.
/// </summary>
public sealed class PowerCutTests : DiskFixture
{
    [Test]
    public async Task After_a_loss_of_power_every_acknowledged_blob_is_there_and_whole()
    {
        for (int round = 0; round < 3; round++)
        {
            int lost = await LostAfterPowerCutAsync(isFlushed: true, round);
            Assert.That(lost, Is.Zero, $"round {round}");
        }
    }

    [Test]
    public async Task Without_flushes_the_same_test_finds_the_loss() =>
        Assert.That(await LostAfterPowerCutAsync(isFlushed: false, round: 0), Is.Positive);

    private async Task<int> LostAfterPowerCutAsync(bool isFlushed, int round)
    {
        string image = Scratch.Sub($"image{round}"), copy = Scratch.Sub($"copy{round}");
        using (var file = File.Create(image)) file.SetLength(96 << 20);
        Mount.Run("mkfs.ext4", "-q", image);

        var acknowledged = new List<int>();
        // A long commit interval: only our own flushes bring anything to the disk.
        using (var mount = Mount.Image(image, Scratch.Sub($"mount{round}"), "commit=300"))
        {
            using var writer = CrashingWriter.Start(Path.Combine(mount.Path, "cas"), isFlushed);
            try
            {
                acknowledged.AddRange(await CrashingWriter.AcknowledgedAsync(writer, 10 + 13 * round));
                await StopAsync(writer);
                Mount.Run("cp", "--sparse=always", image, copy);
            }
            finally
            {
                await CrashingWriter.KillAsync(writer, acknowledged);
            }
        }

        using var after = Mount.Image(copy, Scratch.Sub($"after{round}"), "commit=300");
        await using var store = await OpenAsync(directory: Path.Combine(after.Path, "cas"));
        await AssertConsistentAsync(store);
        int lost = 0;
        foreach (int blob in acknowledged)
        {
            byte[] data = CrashingWriter.BlobOf(blob);
            byte[]? kept = await store.GetAsync(Blobs.DigestOf(data));
            if (kept is null || !kept.AsSpan().SequenceEqual(data)) lost++;
        }

        return lost;
    }

    /// <summary>Stops every thread of it, and waits until none is inside the kernel any more.</summary>
    private static async Task StopAsync(Process process)
    {
        Mount.Run("kill", "-STOP", process.Id.ToString());
        while (Directory.GetDirectories($"/proc/{process.Id}/task").Any(task => !IsStopped(task))) await Task.Yield();
    }

    // proc_pid_stat(5): the state follows the name, which is in parentheses.
    private static bool IsStopped(string task)
    {
        string stat = File.ReadAllText(Path.Combine(task, "stat"));
        return stat[stat.LastIndexOf(')') + 2] == 'T';
    }
}
