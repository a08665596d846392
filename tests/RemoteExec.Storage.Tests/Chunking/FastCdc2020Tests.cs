using System.Numerics;
using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

public sealed class FastCdc2020Tests
{
    private static readonly ulong[] Gear = [.. Enumerable.Range(0, 256).Select(value => Cuts.Gear((byte)value))];

    // REAPI, fastcdc2020_test_vectors.txt: length, SHA-256, fingerprint.
    private static readonly (int, string, ulong)[] Seed0 =
    [
        (19186, "0f9efa589121d5d9e9e2c4ace91337d77cae866537143f6f15a0ffd525a77c2d", 17583755766661134474),
        (19279, "c7c86a165573c16448cda35c9169742e85645af42be22889f8b96b8ee0ec7cb0", 4098594969649699419),
        (17354, "bc88521e28a8b4479cdea5f75aa721a24f3a0a7d0be903aa6d505c574e51e89d", 2365586132076908760),
        (16387, "4b8dac2652e4685c629d2bb1ae9d4448e676b86f2e67ca0b2fff3d9580184b79", 16009206469796846404),
        (19940, "c0a7062da6f2386c28e086ee0cedd5732252741269838773cff1ddb05b2df6ed", 2473608525189754172),
        (17320, "7fa5b12134dc75cd2ac8dc60d3a8f3c8d22f0ee9d4cf74a4aa937e2a0d2d79a5", 2504464741100432583),
    ];

    private static readonly (int, string, ulong)[] Seed666 =
    [
        (17635, "cb3a9d80a3569772d4ed331ca37ab0c862c759897b890fc1aac90a4f2ea3a407", 17021115692437263050),
        (17334, "d758c6b7b0b7eef1e996f8ccd17de6c645360b03a26c35541e7581348ac08944", 8231525949846907466),
        (19136, "24846aefd89e510594bae3e9d7d5ea5012067601512610fed126a3c57ba993f5", 10944310959829698982),
        (17467, "efa785e1fefb49f190e665f72fd246c1442079874508c312196da1fb3040d00b", 13602876513398592944),
        (23593, "a2f557bdd8d40d8faada963ad5f91ec54b10ccee7c5ae72754a65137592dc607", 2945079350535657389),
        (14301, "e131100b4a7147ccad19dc63c4a2fac1f5d8b644e1373eeb6803825024234efc", 8981594897574481255),
    ];

    private static TestCaseData[] Vectors => [new(0u, Seed0), new(666u, Seed666)];

    [TestCaseSource(nameof(Vectors))] // REAPI C8
    public void The_published_vectors_are_reproduced(uint seed, (int Length, string Sha256, ulong Fingerprint)[] expected)
    {
        byte[] image = File.ReadAllBytes(Path.Combine(TestContext.CurrentContext.TestDirectory, "Chunking", "SekienAkashita.jpg"));
        var chunker = new FastCdc2020(16384, chunkBytesMin: 4096, chunkBytesMax: 65535, seed);

        var found = new List<(int, string, ulong)>();
        for (int start = 0; start < image.Length;)
        {
            int length = chunker.Next(image.AsSpan(start), isLast: true);
            found.Add((length, Blobs.DigestOf(image[start..(start + length)]).Hash, chunker.Fingerprint));
            start += length;
        }

        Assert.That(found, Is.EqualTo(expected));
    }

    [Test] // REAPI C8
    public void Cuts_are_where_the_definition_has_them_however_the_bytes_come()
    {
        int seed = Random.Shared.Next();
        TestContext.Out.WriteLine($"seed {seed}");
        var random = new Random(seed);
        for (int round = 0; round < 300; round++)
        {
            int average = 1 << random.Next(10, 14);
            byte[] data = SomeBytes(random, random.Next(0, 12 * average));
            int[] pieces = [.. Enumerable.Range(0, 40).Select(_ => random.Next(1, average))];
            var chunker = new FastCdc2020(average);

            var sizes = Cuts.Of(chunker, data, pieces);

            Assert.That(sizes, Is.EqualTo(Definition(data, average)), $"round {round}, {data.Length} bytes, average {average}");
            Assert.That(Cuts.Of(chunker, data), Is.EqualTo(sizes), "at once");
            Assert.That(sizes.Sum(), Is.EqualTo(data.Length));
            Assert.That(sizes, Is.All.InRange(1, 4 * average));
            Assert.That(sizes.SkipLast(1), Is.All.GreaterThanOrEqualTo(average / 4));
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
            int average = 1 << random.Next(13, 18);
            byte[] data = SomeBytes(random, random.Next(0, 10 * average));
            int[] pieces = [.. Enumerable.Range(0, 20).Select(_ => random.Next(1, average))];

            Assert.That(Cuts.Of(new FastCdc2020(average), data, pieces), Is.EqualTo(Definition(data, average)), $"round {round}, {data.Length} bytes, average {average}");
        }
    }

    [Test] // REAPI C8: outside of them clients ignore what is announced
    public void The_average_is_a_power_of_two_from_1_KiB_to_1_MiB()
    {
        foreach (int wrong in (int[])[0, 512, 1000, 1 << 21, -1024])
            Assert.That(() => new FastCdc2020(wrong), Throws.InstanceOf<ArgumentOutOfRangeException>(), $"{wrong}");

        var chunker = new FastCdc2020();
        Assert.That((chunker.ChunkBytesMin, chunker.ChunkBytesMax), Is.EqualTo((128 << 10, 2 << 20)));
    }

    [Test] // what makes it worth it: an insertion moves nothing but the chunks around it
    public void A_byte_more_changes_the_chunks_around_it_only()
    {
        byte[] data = Blobs.Of(seed: 20, 4 << 20);
        byte[] longer = [.. data[..1_000_000], 7, .. data[1_000_000..]];
        var chunker = new FastCdc2020(64 << 10);

        var before = Digests(chunker, data);
        var after = Digests(chunker, longer);

        Assert.That(after.Except(before).Count(), Is.InRange(1, 3));
    }

    /// <summary>Random bytes, a run of one byte, or a short text again and again.</summary>
    internal static byte[] SomeBytes(Random random, int length)
    {
        byte[] data = new byte[length];
        random.NextBytes(data);
        int kind = random.Next(4);
        if (kind == 0) data.AsSpan().Fill((byte)random.Next(256));
        for (int i = 0; kind == 1 && i < length; i++) data[i] = data[i % Math.Min(length, 97)];
        return data;
    }

    private static HashSet<Digest> Digests(FastCdc2020 chunker, byte[] data)
    {
        var digests = new HashSet<Digest>();
        int start = 0;
        foreach (int size in Cuts.Of(chunker, data))
        {
            digests.Add(Blobs.DigestOf(data[start..(start + size)]));
            start += size;
        }

        return digests;
    }

    /// <summary>Byte by byte, as the paper's listing says it.</summary>
    private static List<int> Definition(byte[] data, int average)
    {
        var sizes = new List<int>();
        for (int start = 0; start < data.Length; start += sizes[^1])
            sizes.Add(FirstOf(data.AsSpan(start), average));
        return sizes;
    }

    private static int FirstOf(ReadOnlySpan<byte> data, int average)
    {
        int size = Math.Min(data.Length, 4 * average);
        if (size <= average / 4) return size;

        ulong hash = 0;
        // The last byte of an odd number is not half of a pair.
        for (int i = average / 4; i < (size & ~1); i++)
        {
            hash = (hash << 1) + Gear[data[i]];
            if ((hash & MaskOf(BitOperations.Log2((uint)average) + (i < Math.Min(average, size & ~1) ? 2 : -2))) == 0) return i;
        }

        return size;
    }

    // The table that the paper and its programs share, by the logarithm of a size.
    private static ulong MaskOf(int bits) => bits switch
    {
        8 => 0x0000001800035300,
        9 => 0x0000019000353000,
        10 => 0x0000590003530000,
        11 => 0x0000d90003530000,
        12 => 0x0000d90103530000,
        13 => 0x0000d90303530000,
        14 => 0x0000d90313530000,
        15 => 0x0000d90f03530000,
        16 => 0x0000d90303537000,
        17 => 0x0000d90703537000,
        18 => 0x0000d90707537000,
        19 => 0x0000d91707537000,
        _ => throw new ArgumentOutOfRangeException(nameof(bits)),
    };
}
