using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

public sealed class RestartOrderTests
{
    [TestCase(1, 1)]
    [TestCase(1, 1000)]
    [TestCase(10, 1000)]
    [TestCase(3000, 5000)]
    [TestCase(6 * 3600 * 1000, 5000)]
    [TestCase(int.MaxValue, 5000)] // weeks: many uses share a bucket
    public void Slots_are_put_in_the_order_of_their_uses(int spanMs, int blobs)
    {
        int seed = Environment.TickCount;
        TestContext.Out.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var slots = new BlobSlots();
        var sorting = new RestartOrder(slots);
        var uses = new List<long>();
        for (int i = 0; i < 2 * blobs; i++) slots.Take(Digest.Of(DigestFunction.Sha256, BitConverter.GetBytes(i)));
        for (int i = 0; i < 2 * blobs; i++)
        {
            if (i % 2 == 0)
            {
                slots.GiveBack(i);
                continue;
            }

            // One long ago, so that some buckets are empty and some are crowded.
            slots[i].UseMs = i == 1 ? 1 : 1_800_000_000_000 + (random.Next(spanMs) / 1000 * 1000) + random.Next(3);
            sorting.Expect(slots[i].UseMs);
            uses.Add(slots[i].UseMs);
        }

        int[] sorted = sorting.Sort();

        Assert.That(sorted.Select(number => slots[number].UseMs), Is.EqualTo(uses.Order()));
        Assert.That(sorted, Is.Unique);
    }

    [Test]
    public void Nothing_has_no_order()
    {
        Assert.That(new RestartOrder(new BlobSlots()).Sort(), Is.Empty);
    }
}
