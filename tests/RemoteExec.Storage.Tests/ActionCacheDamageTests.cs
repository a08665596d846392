using System.Security.Cryptography;
using System.Text;
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

    [Test]
    public async Task A_result_that_the_disk_cannot_give_back_is_a_miss_until_it_is_put_again()
    {
        var disk = new FaultyDisk();
        var cache = Open(disk: disk);
        await cache.PutAsync(Key(1), Result(1, 0), default);
        disk.ReadFault = Errno.EIO;

        Assert.That(await cache.GetAsync(Key(1), default), Is.Null);
        Assert.That(cache.Entries, Is.Zero);

        disk.ReadFault = 0;
        await cache.PutAsync(Key(1), Result(1, 1), default);
        Assert.That(await cache.GetAsync(Key(1), default), Is.EqualTo(Result(1, 1)));
    }

    [Test]
    public async Task A_segment_that_the_disk_cannot_give_back_costs_what_is_in_it_and_no_start()
    {
        await Open().PutAsync(Key(1), Result(1, 0), default);
        var disk = new FaultyDisk { ReadFault = Errno.EIO };

        var again = Open(disk: disk);

        Assert.That(again.Entries, Is.Zero);
        disk.ReadFault = 0;
        await again.PutAsync(Key(2), Result(2, 0), default);
        Assert.That(await again.GetAsync(Key(2), default), Is.EqualTo(Result(2, 0)));
    }

    [Test]
    public async Task A_file_is_as_it_always_was()
    {
        // header "RXACLOG1" (8) | marker (8) | crc of both (4); record marker (8) | crc of what follows (4) | payload length (4)
        // | kind (1) | last use, UTC ticks (8) | SHA-256 of "function-hash-size\ninstance" (32) | payload
        var digest = Key(1).Action;
        byte[] marker = [1, 2, 3, 4, 5, 6, 7, 8];
        byte[] header = [.. "RXACLOG1"u8, .. marker];
        byte[] payload = Result(1, 0, 50).ToByteArray();
        byte[] rest =
        [
            .. BitConverter.GetBytes(payload.Length), 1, .. BitConverter.GetBytes(Time.GetUtcNow().Ticks),
            .. SHA256.HashData(Encoding.UTF8.GetBytes($"sha256-{digest.Hash}-{digest.SizeBytes}\n")), .. payload,
        ];
        byte[] file = [.. header, .. BitConverter.GetBytes(Crc32C.Of(header)), .. marker, .. BitConverter.GetBytes(Crc32C.Of(rest)), .. rest];
        System.IO.Directory.CreateDirectory(Folder);
        string path = Path.Combine(Folder, "0000000007.log");
        File.WriteAllBytes(path, file);

        var cache = Open();
        Assert.That(await cache.GetAsync(Key(1), default), Is.EqualTo(Result(1, 0, 50)));
        await cache.PutAsync(Key(1), Result(1, 0, 50), default);

        Assert.That(File.ReadAllBytes(path), Is.EqualTo((byte[])[.. file, .. file.AsSpan(20)]));
    }

    [Test]
    public async Task A_cache_opens_on_a_full_disk_even_when_it_has_nothing_yet()
    {
        using var mount = Mount.Tmpfs(Scratch.Sub("full"), "size=64k");
        string folder = Path.Combine(mount.Path, "ac");
        System.IO.Directory.CreateDirectory(folder);
        mount.Fill();

        var cache = Open(folder: folder);
        Assert.That(await cache.GetAsync(Key(1), default), Is.Null);
        var refused = Assert.ThrowsAsync<RpcException>(async () => await cache.PutAsync(Key(1), Result(1, 0), default));
        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.ResourceExhausted));

        mount.Empty();
        await cache.PutAsync(Key(1), Result(1, 0), default);
        Assert.That(await Open(folder: folder).GetAsync(Key(1), default), Is.EqualTo(Result(1, 0)));
        Close(); // or the mount is busy
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
