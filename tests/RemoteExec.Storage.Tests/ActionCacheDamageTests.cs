using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Grpc.Core;
using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

/// <summary>What is torn, rotten or did not fit costs itself, and nothing beside it.</summary>
public sealed class ActionCacheDamageTests : DiskActionCacheFixture
{
    private const int SegmentHeaderBytes = 20;

    [Test]
    public async Task A_torn_tail_costs_the_last_result_at_every_length()
    {
        var cache = Open();
        await cache.PutAsync(Key(1), Result(1, 0, 50), default);
        long first = BytesOnDisk();
        await cache.PutAsync(Key(2), Result(2, 0, 50), default);
        byte[] whole = File.ReadAllBytes(Segments().Single());
        for (long length = first; length < whole.Length; length++)
        {
            Close();
            File.WriteAllBytes(Segments().Single(), whole.AsSpan(0, (int)length));
            var again = Open();

            Assert.That(again.Entries, Is.EqualTo(1), $"{length} of {whole.Length} bytes");
            Assert.That(BytesOnDisk(), Is.EqualTo(first), "the tail is cut");
            await again.PutAsync(Key(2), Result(2, 1), default);
            again = Open();
            Assert.That(await again.GetAsync(Key(1), default), Is.EqualTo(Result(1, 0, 50)));
            Assert.That(await again.GetAsync(Key(2), default), Is.EqualTo(Result(2, 1)));
        }
    }

    [Test]
    public async Task A_flipped_bit_is_a_miss_wherever_it_is_and_the_others_survive()
    {
        var cache = Open();
        int[] ends = new int[3];
        for (int i = 0; i < 3; i++)
        {
            await cache.PutAsync(Key(i), Result(i, 0, 10), default);
            ends[i] = (int)BytesOnDisk();
        }

        string file = Segments().Single();
        byte[] whole = File.ReadAllBytes(file);
        for (int at = SegmentHeaderBytes; at < whole.Length; at++)
        {
            byte[] flipped = [.. whole];
            flipped[at] ^= (byte)(1 << (at % 8));
            Close();
            File.WriteAllBytes(file, flipped);
            var again = Open();

            int hit = Array.FindIndex(ends, end => at < end);
            for (int i = 0; i < 3; i++)
                Assert.That(await again.GetAsync(Key(i), default), i == hit ? Is.Null : Is.EqualTo(Result(i, 0, 10)), $"byte {at}, result {i}");
        }
    }

    [Test]
    public async Task A_segment_without_its_header_is_removed()
    {
        await Open().PutAsync(Key(1), Result(1, 0), default);
        string file = Segments().Single();
        byte[] whole = File.ReadAllBytes(file);
        for (int at = 0; at < SegmentHeaderBytes; at++)
        {
            Close();
            foreach (string left in Segments()) File.Delete(left);
            byte[] flipped = [.. whole];
            flipped[at] ^= 1;
            File.WriteAllBytes(file, at == 0 ? [] : flipped);
            var again = Open();

            Assert.That(again.Entries, Is.Zero);
            Assert.That(File.Exists(file), Is.False);
            await again.PutAsync(Key(2), Result(2, 0), default);
            Assert.That(Open().Entries, Is.EqualTo(1));
        }
    }

    [Test]
    public async Task What_rots_while_it_is_served_is_a_miss_until_it_is_put_again()
    {
        var cache = Open();
        await cache.PutAsync(Key(1), Result(1, 0, 50), default);
        using (var file = File.OpenHandle(Segments().Single(), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
            RandomAccess.Write(file, new byte[10], RandomAccess.GetLength(file) - 20);

        Assert.That(await cache.GetAsync(Key(1), default), Is.Null);
        Assert.That(cache.Entries, Is.Zero);

        await cache.PutAsync(Key(1), Result(1, 1), default);
        Assert.That(await cache.GetAsync(Key(1), default), Is.EqualTo(Result(1, 1)));
    }

    [Test]
    public async Task What_a_client_writes_never_passes_for_a_record()
    {
        // A whole segment as the output of an action, and then the record around it is damaged.
        string elsewhere = Scratch.Sub("elsewhere");
        await Open(folder: elsewhere).PutAsync(Key(1), Result(1, 0), default);
        byte[] forged = File.ReadAllBytes(System.IO.Directory.EnumerateFiles(elsewhere).Single());
        await Open().PutAsync(Key(2), new ActionResult { StdoutRaw = ByteString.CopyFrom(forged) }, default);
        Close();
        string file = Segments().Single();
        byte[] damaged = File.ReadAllBytes(file);
        damaged[SegmentHeaderBytes] ^= 1;
        File.WriteAllBytes(file, damaged);

        var again = Open();

        Assert.That(again.Entries, Is.Zero);
        Assert.That(await again.GetAsync(Key(1), default), Is.Null);
    }

    [TestCase("size=2m", 64 << 20, TestName = "No_bytes_left_for_a_result_is_a_refusal_and_passes")]
    [TestCase("size=64m,nr_inodes=3", 16 << 20, TestName = "No_inodes_left_for_a_segment_is_a_refusal_and_passes")]
    public async Task A_full_disk_refuses_and_recovers(string options, long limitBytes)
    {
        const int ResultBytes = 100_000;
        using var mount = Mount.Tmpfs(Scratch.Sub("full"), options);
        var cache = Open(limitBytes: limitBytes, folder: mount.Path);
        int stored = 0;
        RpcException? refused = null;
        while (refused is null && stored < 1000)
        {
            try
            {
                await cache.PutAsync(Key(stored), Result(stored, 0, ResultBytes), default);
                stored++;
            }
            catch (RpcException full)
            {
                refused = full;
            }
        }

        Assert.That(refused?.StatusCode, Is.EqualTo(StatusCode.ResourceExhausted));
        Assert.That(refused!.Status.Detail, Does.Contain("full").And.Contains("storing a result"));
        Assert.That(stored, Is.GreaterThan(5));
        Assert.That(cache.Entries, Is.EqualTo(stored));
        Assert.That(Open(limitBytes: limitBytes, folder: mount.Path).Entries, Is.EqualTo(stored), "the log is readable as it is");

        Mount.Run("mount", "-o", "remount,size=128m,nr_inodes=10000", mount.Path);
        await cache.PutAsync(Key(stored), Result(stored, 0, ResultBytes), default);
        foreach (var opened in (DiskActionCache[])[cache, Open(limitBytes: limitBytes, folder: mount.Path)])
        {
            for (int i = 0; i <= stored; i++)
                Assert.That(await opened.GetAsync(Key(i), default), Is.EqualTo(Result(i, 0, ResultBytes)), $"{i}");
        }

        Close(); // or the mount is busy
    }
}
