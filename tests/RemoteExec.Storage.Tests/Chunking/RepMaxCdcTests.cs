using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

public sealed class RepMaxCdcTests
{
    private static readonly ulong[] Gear = [.. Enumerable.Range(0, 256).Select(value => Cuts.Gear((byte)value))];

    // Of buildbarn/go-cdc, to which REAPI refers, for the picture that its vectors of FastCDC cut; Bazel's client is tested with the same.
    private static TestCaseData[] Vectors =>
    [
        new(4096, 32768, new[] { 7026, 5198, 5310, 4271, 5278, 5588, 5017, 6761, 5541, 7612, 5501, 4695, 4362, 6221, 7190, 5858, 4382, 8022, 5633 }),
        new(8192, 0, new[] { 8192, 8192, 8192, 8192, 8192, 8192, 8192, 8192, 8192, 8192, 8192, 8192, 11162 }),
    ];

    [TestCaseSource(nameof(Vectors))] // REAPI C8
    public void The_vectors_of_the_reference_implementation_are_reproduced(int min, int horizon, int[] expected)
    {
        byte[] image = File.ReadAllBytes(Path.Combine(TestContext.CurrentContext.TestDirectory, "Chunking", "SekienAkashita.jpg"));

        Assert.That(Cuts.Of(new RepMaxCdc(min, horizon), image), Is.EqualTo(expected));
    }

    [Test] // REAPI C8
    public void Cuts_are_where_the_definition_has_them_however_the_bytes_come()
    {
        int seed = Random.Shared.Next();
        TestContext.Out.WriteLine($"seed {seed}");
        var random = new Random(seed);
        for (int round = 0; round < 400; round++)
        {
            int min = random.Next(64, 300);
            int horizon = random.Next(4) switch { 0 => 0, 1 => random.Next(1, min), 2 => random.Next(min, 3 * min), _ => 8 * min };
            byte[] data = FastCdc2020Tests.SomeBytes(random, random.Next(0, 40 * min));
            int[] pieces = [.. Enumerable.Range(0, 40).Select(_ => random.Next(1, 2 * min))];
            var chunker = new RepMaxCdc(min, horizon);

            var sizes = Cuts.Of(chunker, data, pieces);

            Assert.That(sizes, Is.EqualTo(Definition(data, min, horizon)), $"round {round}, {data.Length} bytes, minimum {min}, horizon {horizon}");
            Assert.That(Cuts.Of(chunker, data), Is.EqualTo(sizes), "at once");
            Assert.That(sizes.Sum(), Is.EqualTo(data.Length));
            Assert.That(sizes, Is.All.InRange(Math.Min(min, data.Length), (2 * min) - 1));
        }
    }

    [Test] // long enough for many bytes to be hashed at a time
    public void Long_chunks_are_cut_where_the_definition_has_them()
    {
        int seed = Random.Shared.Next();
        TestContext.Out.WriteLine($"seed {seed}");
        var random = new Random(seed);
        for (int round = 0; round < 10; round++)
        {
            int min = random.Next(GearLanes.BlockBytes, 5 * GearLanes.BlockBytes);
            int horizon = random.Next(0, 8 * min);
            int length = random.Next(0, 12 * min);
            // Where hashes rise every now and then, one lane has several peaks.
            byte[] data = random.Next(3) == 0 ? Rising(random, length) : FastCdc2020Tests.SomeBytes(random, length);
            int[] pieces = [.. Enumerable.Range(0, 20).Select(_ => random.Next(1, 2 * min))];

            Assert.That(
                Cuts.Of(new RepMaxCdc(min, horizon), data, pieces), Is.EqualTo(Definition(data, min, horizon)),
                $"round {round}, {data.Length} bytes, minimum {min}, horizon {horizon}");
        }
    }

    [Test] // where hashes rise for long, no cut is settled within the horizon, and the search has to begin again
    public void A_long_rise_is_cut_as_the_definition_says()
    {
        const int Min = 64;
        byte[] data = Rising(new Random(9), 200 * Min);

        foreach (int horizon in (int[])[0, Min / 2, Min, 3 * Min, 8 * Min])
            Assert.That(Cuts.Of(new RepMaxCdc(Min, horizon), data, 1, 3, 100), Is.EqualTo(Definition(data, Min, horizon)), $"horizon {horizon}");
    }

    [Test]
    public void The_smallest_chunk_has_a_window_of_the_hash()
    {
        Assert.That(() => new RepMaxCdc(63, 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => new RepMaxCdc(64, -1), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => new RepMaxCdc(1 << 30, 1 << 30), Throws.InstanceOf<ArgumentOutOfRangeException>());

        var chunker = new RepMaxCdc();
        Assert.That((chunker.ChunkBytesMin, chunker.ChunkBytesMax), Is.EqualTo((256 << 10, (512 << 10) - 1)));
    }

    /// <summary>Each byte is the one of a few whose hash is just above the one before.</summary>
    private static byte[] Rising(Random random, int length)
    {
        byte[] data = new byte[length];
        ulong hash = 0;
        for (int i = 0; i < length; i++)
        {
            ulong before = hash;
            var choices = Enumerable.Range(0, 256).Where(value => (before << 1) + Gear[value] > before).ToArray();
            byte next = choices.Length == 0 ? (byte)random.Next(256) : (byte)choices.MinBy(value => (before << 1) + Gear[value]);
            data[i] = next;
            hash = (hash << 1) + Gear[next];
        }

        return data;
    }

    private static List<int> Definition(byte[] data, int min, int horizon)
    {
        var sizes = new List<int>();
        ulong[] hashes = Hashes(data);
        for (int start = 0; start < data.Length; start += sizes[^1])
            sizes.Add(FirstOf(hashes.AsSpan(start, Math.Min(data.Length - start, (2 * min) + horizon)), min));
        return sizes;
    }

    /// <summary>The greatest hash within reach; when it is too far away, the greatest of those that leave room for a minimal chunk before it.</summary>
    private static int FirstOf(ReadOnlySpan<ulong> seen, int min)
    {
        if (seen.Length < 2 * min) return seen.Length;

        for (int end = seen.Length - min; ;)
        {
            int best = min;
            for (int cut = min; cut <= end; cut++)
            {
                if (seen[cut - 1] > seen[best - 1]) best = cut;
            }

            if (best < 2 * min) return best;
            end = best - min;
        }
    }

    /// <summary>Behind each byte; what is more than 64 bytes away has been shifted out, so where it began does not matter.</summary>
    private static ulong[] Hashes(byte[] data)
    {
        ulong[] hashes = new ulong[data.Length];
        ulong hash = 0;
        for (int i = 0; i < data.Length; i++) hashes[i] = hash = (hash << 1) + Gear[data[i]];
        return hashes;
    }
}
