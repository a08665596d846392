using Microsoft.Win32.SafeHandles;
using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>Restarts that are told by the log of uses where everything is.</summary>
public sealed class PlacedUsesTests : DiskFixture
{
    // A dozen blobs of a kilobyte.
    private const int SmallSegment = 16 << 10;

    private const int Count = 60;

    private string LogPath => Path.Combine(StoreDirectory, "uses");

    [Test]
    public async Task After_an_orderly_end_nothing_is_read_of_full_segments_but_what_they_end_with()
    {
        var before = await FillAsync();
        Assert.That(ClaimsIn(LogPath), Has.Count.EqualTo(Segments.NumbersIn(StoreDirectory).Count - 1), "all but the open one");

        var disk = new CountingDisk();
        await using var store = await OpenAsync(disk: disk, segmentBytes: SmallSegment);

        foreach (var claim in ClaimsIn(LogPath))
            Assert.That(disk.BytesReadOf($"segments/{claim.Segment}"), Is.InRange(1, SegmentFormat.HeaderBytes + SegmentFormat.PrefixBytes + SegmentFormat.TrailerBytes));
        await AssertSameAsync(store, before);
    }

    [Test]
    public async Task Wherever_the_log_is_cut_every_blob_is_found_and_the_bytes_are_the_same()
    {
        var before = await FillAsync();
        byte[] whole = await File.ReadAllBytesAsync(LogPath);
        for (int cut = 0; cut < whole.Length; cut += Math.Max(1, whole.Length / 50))
        {
            await File.WriteAllBytesAsync(LogPath, whole[..cut]);
            await using var store = await OpenAsync(segmentBytes: SmallSegment);
            await AssertSameAsync(store, before);
        }
    }

    [Test]
    public async Task Wherever_the_log_is_altered_every_blob_is_found_and_the_bytes_are_the_same()
    {
        var before = await FillAsync();
        byte[] whole = await File.ReadAllBytesAsync(LogPath);
        for (int at = 3; at < whole.Length; at += Math.Max(1, whole.Length / 50))
        {
            byte[] altered = [.. whole];
            altered[at] ^= 0x10;
            await File.WriteAllBytesAsync(LogPath, altered);
            await using var store = await OpenAsync(segmentBytes: SmallSegment);
            await AssertSameAsync(store, before);
        }
    }

    [Test]
    public async Task A_segment_that_took_the_place_of_another_is_read()
    {
        var before = await FillAsync();
        // As long, and with as many bytes that count.
        string first = Segments.PathOf(StoreDirectory, 1), second = Segments.PathOf(StoreDirectory, 2);
        File.Move(first, first + "x");
        File.Move(second, first);
        File.Move(first + "x", second);

        await using var store = await OpenAsync(segmentBytes: SmallSegment);

        await AssertSameAsync(store, before);
    }

    [Test]
    public async Task A_segment_that_is_gone_takes_its_own_blobs_along_and_no_others()
    {
        var before = await FillAsync();
        var lost = Segments.Scan(StoreDirectory, 2).Records;
        File.Delete(Segments.PathOf(StoreDirectory, 2));

        await using var store = await OpenAsync(segmentBytes: SmallSegment);

        Assert.That(store.Usage.Blobs, Is.EqualTo(before.Blobs - lost.Count));
        Assert.That(await store.FindMissingAsync([.. Enumerable.Range(0, Count).Select(DigestOf)], default), Is.EquivalentTo(lost.Select(record => record.Digest)));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task A_segment_whose_dead_are_other_ones_is_read()
    {
        var before = await FillAsync();
        var dead = Segments.Scan(StoreDirectory, 2).Records[3];
        await File.WriteAllBytesAsync(Segments.PathOf(StoreDirectory, 2) + ".dead", BitConverter.GetBytes(dead.Offset));

        await using var store = await OpenAsync(segmentBytes: SmallSegment);

        Assert.That(store.Usage.Blobs, Is.EqualTo(before.Blobs - 1));
        Assert.That(await store.HasAsync(dead.Digest), Is.False);
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task A_run_that_is_killed_leaves_to_the_next_what_came_after_the_log_began()
    {
        await FillAsync();
        await using (var store = await OpenAsync(segmentBytes: SmallSegment))
        {
            Time.Advance(TimeSpan.FromHours(1));
            // Blobs that are new, used again, evicted and larger.
            for (int i = 0; i < 20; i++) await store.PutAsync(Blobs.Of(1000 + i, 1000));
            await store.PutAsync(Blobs.Of(2000, 9000));
            Assert.That(await store.HasAsync(DigestOf(5)));
            store.PutAside(DigestOf(7));
            await AssertConsistentAsync(store);
            store.Segments.NoteDead();

            string copy = Scratch.Sub("killed");
            Copy(StoreDirectory, copy);
            await using var next = await OpenAsync(directory: copy, segmentBytes: SmallSegment);
            Assert.That((next.Usage.Blobs, next.Usage.UsedBytes), Is.EqualTo((store.Usage.Blobs, store.Usage.UsedBytes)));
            for (int i = 0; i < Count; i++)
            {
                if (i == 7) Assert.That(next.UnusedFor(DigestOf(i)), Is.Null);
                else Assert.That(next.UnusedFor(DigestOf(i))!.Value, Is.LessThanOrEqualTo(store.UnusedFor(DigestOf(i))!.Value), $"no promise is shorter: {i}");
            }

            await AssertConsistentAsync(next);
        }
    }

    [Test]
    public async Task A_log_that_is_written_while_blobs_come_and_go_tells_the_truth_after_a_kill()
    {
        int seed = Environment.TickCount;
        TestContext.Out.WriteLine($"seed {seed}");
        var random = new Random(seed);
        await using var store = await OpenAsync(limitBytes: 100_000, segmentBytes: SmallSegment);
        for (int round = 0; round < 10; round++)
        {
            Time.Advance(Retention + TimeSpan.FromMinutes(11)); // so that some go
            var rewriting = Task.Run(() => store.Uses.TryRewrite(store.Index));
            for (int i = 0; i < 40; i++)
            {
                await store.PutAsync(Blobs.Of(random.Next(300), 1000));
                if (i % 4 == 0) await store.HasAsync(Blobs.DigestOf(Blobs.Of(random.Next(300), 1000)));
            }

            Assert.That(await rewriting);
            await AssertConsistentAsync(store);
            store.Segments.NoteDead();
            string copy = Scratch.Sub($"killed-{round}");
            Copy(StoreDirectory, copy);
            await using var next = await OpenAsync(limitBytes: 100_000, directory: copy, segmentBytes: SmallSegment);
            Assert.That((next.Usage.Blobs, next.Usage.UsedBytes), Is.EqualTo((store.Usage.Blobs, store.Usage.UsedBytes)));
            await AssertConsistentAsync(next);
        }
    }

    [Test]
    public async Task After_a_loss_of_power_no_place_is_taken_from_the_log()
    {
        var before = await FillAsync();
        byte[] log = await File.ReadAllBytesAsync(LogPath);
        UseRecords.NoBoot.CopyTo(log, 0);
        await File.WriteAllBytesAsync(LogPath, log);

        var disk = new CountingDisk();
        await using var store = await OpenAsync(disk: disk, segmentBytes: SmallSegment);

        Assert.That(disk.BytesReadOf("segments/1"), Is.GreaterThan(Segments.Scan(StoreDirectory, 1).Records.Count * 32));
        await AssertSameAsync(store, before);
    }

    private static Digest DigestOf(int number) => Blobs.DigestOf(Blobs.Of(number, 1000));

    private static List<SegmentClaim> ClaimsIn(string path)
    {
        var uses = new UseDictionary();
        UseRecords.Read(path, new Disk(), uses);
        return uses.Claims;
    }

    /// <summary>A store of some full segments, that was closed.</summary>
    private async Task<BlobStoreUsage> FillAsync()
    {
        await using var store = await OpenAsync(segmentBytes: SmallSegment);
        for (int i = 0; i < Count; i++) await store.PutAsync(Blobs.Of(i, 1000));
        Assert.That(Segments.NumbersIn(StoreDirectory), Has.Count.GreaterThan(3));
        return store.Usage;
    }

    private static async Task AssertSameAsync(DiskBlobStore store, BlobStoreUsage before)
    {
        Assert.That((store.Usage.Blobs, store.Usage.UsedBytes), Is.EqualTo((before.Blobs, before.UsedBytes)));
        for (int i = 0; i < Count; i++) Assert.That(await store.GetAsync(DigestOf(i)), Is.EqualTo(Blobs.Of(i, 1000)));
        await AssertConsistentAsync(store);
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string directory in Directory.EnumerateDirectories(from)) Copy(directory, Path.Combine(to, Path.GetFileName(directory)));
        foreach (string file in Directory.EnumerateFiles(from))
        {
            if (Path.GetFileName(file) == "lock") continue; // empty, and the store's own

            // Not as File.Copy does it, which wants nobody to write.
            using var source = File.OpenHandle(file, share: FileShare.ReadWrite | FileShare.Delete);
            byte[] bytes = new byte[RandomAccess.GetLength(source)];
            Assert.That(RandomAccess.Read(source, bytes, 0), Is.EqualTo(bytes.Length));
            File.WriteAllBytes(Path.Combine(to, Path.GetFileName(file)), bytes);
        }
    }

    /// <summary>Counts what is read.</summary>
    private sealed class CountingDisk : IDisk
    {
        private readonly Disk _disk = new();
        private readonly Dictionary<string, long> _bytes = [];

        public long BytesReadOf(string file)
        {
            lock (_bytes) return _bytes.GetValueOrDefault(file);
        }

        public int Flush(SafeFileHandle fileOrDirectory) => _disk.Flush(fileOrDirectory);

        public int Read(SafeFileHandle file, Span<byte> buffer, long offset)
        {
            int read = _disk.Read(file, buffer, offset);
            string path = new FileInfo($"/proc/self/fd/{file.DangerousGetHandle()}").LinkTarget!;
            string name = string.Join('/', path.Split('/')[^2..]);
            lock (_bytes) _bytes[name] = _bytes.GetValueOrDefault(name) + read;
            return read;
        }
    }
}
