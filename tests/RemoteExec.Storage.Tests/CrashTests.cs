using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

/// <summary>S10: a process that dies at any instant loses nothing acknowledged and leaves nothing unaccounted.</summary>
public sealed class CrashTests : DiskFixture
{
    [Test]
    public async Task Kill_9_in_the_middle_of_uploads_loses_nothing_acknowledged()
    {
        int seed = Environment.TickCount;
        TestContext.Out.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var acknowledged = new List<int>();
        for (int round = 0; round < 4; round++)
        {
            using var writer = CrashingWriter.Start(StoreDirectory);
            acknowledged.AddRange(await CrashingWriter.AcknowledgedAsync(writer, random.Next(1, 120)));
            await CrashingWriter.KillAsync(writer, acknowledged);

            await using var store = await OpenAsync();
            await AssertConsistentAsync(store);
            foreach (int blob in acknowledged)
            {
                byte[] data = CrashingWriter.BlobOf(blob);
                Assert.That(await store.GetAsync(Blobs.DigestOf(data)), Is.EqualTo(data), $"blob {blob}");
            }
        }
    }

    [Test]
    public async Task Kill_9_keeps_the_promises_that_were_given()
    {
        var acknowledged = new List<int>();
        using (var writer = CrashingWriter.Start(StoreDirectory))
        {
            acknowledged.AddRange(await CrashingWriter.AcknowledgedAsync(writer, 20));
            await CrashingWriter.KillAsync(writer, acknowledged);
        }

        var uses = new UseDictionary();
        var history = UseRecords.Read(Path.Combine(StoreDirectory, "uses"), new Disk(), uses);

        Assert.That(history.Ending, Is.EqualTo(UseLogEnding.Killed));
        foreach (int blob in acknowledged)
            Assert.That(uses, Does.ContainKey(Blobs.DigestOf(CrashingWriter.BlobOf(blob))));
    }
}
