using Grpc.Core;
using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

/// <summary>S4: a disk that is full, by bytes or by files, refuses uploads, serves reads, and recovers by itself.</summary>
public sealed class FullDiskTests : DiskFixture
{
    [TestCase("size=2m", 300_000, TestName = "No_bytes_left_is_a_refusal_and_passes")]
    [TestCase("size=64m,nr_inodes=60", 300_000, TestName = "No_inodes_left_is_a_refusal_and_passes")]
    [TestCase("size=12m", 5_000_000, TestName = "No_bytes_left_for_a_large_file_is_a_refusal_and_passes")]
    public async Task A_full_disk_refuses_and_recovers(string options, int blobBytes)
    {
        using var mount = Mount.Tmpfs(Scratch.Sub("full"), options);
        var stored = new List<Core.Digest>();
        await using (var store = await OpenAsync(limitBytes: 1 << 30, directory: mount.Path))
        {
            RpcException? refused = null;
            for (int i = 0; refused is null && i < 1000; i++)
            {
                try
                {
                    stored.Add(await store.PutAsync(Blobs.Of(i, blobBytes)));
                }
                catch (RpcException full)
                {
                    refused = full;
                }
            }

            Assert.That(refused?.StatusCode, Is.EqualTo(StatusCode.ResourceExhausted));
            Assert.That(refused!.Status.Detail, Does.Contain("full"));
            Assert.That(stored, Is.Not.Empty);
            await AssertConsistentAsync(store);
            Assert.That(await store.GetAsync(stored[0]), Is.EqualTo(Blobs.Of(0, blobBytes)), "reads go on");
        }

        Mount.Run("mount", "-o", "remount,size=128m,nr_inodes=10000", mount.Path);
        await using (var again = await OpenAsync(limitBytes: 1 << 30, directory: mount.Path))
        {
            Assert.That(await again.FindMissingAsync(stored, default), Is.Empty);
            await again.PutAsync(Blobs.Of(5000, blobBytes));
            await AssertConsistentAsync(again);
        }
    }

    [Test]
    public async Task Reads_go_on_on_a_full_disk_and_a_restart_there_keeps_their_promises()
    {
        using var mount = Mount.Tmpfs(Scratch.Sub("full"), "size=2m");
        var stored = new List<Core.Digest>();
        await using (var store = await OpenAsync(directory: mount.Path))
        {
            for (int i = 0; i < 200; i++) stored.Add(await store.PutAsync(Blobs.Of(i, 100)));
            mount.Fill();
            // Long enough that each use is to be recorded; far more than the last page of the log has room for.
            Time.Advance(Retention - TimeSpan.FromSeconds(1));

            Assert.That(await store.FindMissingAsync(stored, default), Is.Empty);
            for (int i = 0; i < 200; i++) Assert.That(await store.GetAsync(stored[i]), Is.EqualTo(Blobs.Of(i, 100)));
            Assert.That(UseRecords.Read(store.Files.UseLogPath, new Disk(), new UseDictionary()).Ending, Is.EqualTo(UseLogEnding.Unknown));
        }

        Time.Advance(TimeSpan.FromSeconds(2));
        await using (var again = await OpenAsync(limitBytes: 20_000, directory: mount.Path))
        {
            Assert.That(await again.FindMissingAsync(stored, default), Is.Empty);
            Assert.That(await again.GetAsync(stored[0]), Is.EqualTo(Blobs.Of(0, 100)));
            // They were used two seconds ago, whatever the log could be told of it.
            mount.Empty();
            var refused = Assert.ThrowsAsync<RpcException>(async () => await again.PutAsync(Blobs.Of(500, 100)));
            Assert.That(refused!.Status.Detail, Does.Contain("promised"));
            await AssertConsistentAsync(again);
        }
    }

    [Test]
    public async Task An_upload_that_fits_to_the_last_page_is_answered()
    {
        using var mount = Mount.Tmpfs(Scratch.Sub("full"), "size=2m");
        await using var store = await OpenAsync(directory: mount.Path);
        mount.Fill();
        bool isLogBehind = false;
        for (int i = 0; i < 200; i++)
        {
            // Each takes the one page that there is; sooner or later the log of uses needs one too.
            mount.Free(4096);
            await store.PutAsync(Blobs.Of(i, 4000)).WaitAsync(TimeSpan.FromSeconds(60));
            isLogBehind |= UseRecords.Read(store.Files.UseLogPath, new Disk(), new UseDictionary()).Ending == UseLogEnding.Unknown;
        }

        Assert.That(isLogBehind, Is.True);
        mount.Empty();
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task What_follows_a_piece_that_found_no_room_makes_no_blob()
    {
        using var mount = Mount.Tmpfs(Scratch.Sub("full"), "size=2m");
        await using var store = await OpenAsync(limitBytes: 1 << 30, directory: mount.Path);
        byte[] data = Blobs.Of(1, 3 << 20);
        await using (var writer = await store.CreateWriterAsync(Blobs.DigestOf(data), default))
        {
            Assert.That(
                async () => await writer.AppendAsync(data, default),
                Throws.InstanceOf<RpcException>().With.Property("StatusCode").EqualTo(StatusCode.ResourceExhausted));
            Mount.Run("mount", "-o", "remount,size=128m", mount.Path);

            Assert.That(
                async () => await writer.CommitAsync(default),
                Throws.InstanceOf<RpcException>().With.Property("StatusCode").EqualTo(StatusCode.Unavailable));
        }

        await AssertConsistentAsync(store);
        Assert.That(await store.GetAsync(await store.PutAsync(data)), Is.EqualTo(data));
    }

    [Test]
    public async Task A_frame_that_was_not_worth_it_is_gone_also_when_there_is_no_room_for_the_plain_file()
    {
        using var mount = Mount.Tmpfs(Scratch.Sub("full"), "size=2m");
        await using var store = await OpenAsync(limitBytes: 1 << 30, directory: mount.Path, compressesAtRest: true);
        byte[] data = [.. new byte[100_000], .. Blobs.Of(1, 1_200_000)]; // begins as if it were worth it; one of both fits

        var refused = Assert.ThrowsAsync<RpcException>(async () => await store.PutAsync(data));

        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.ResourceExhausted));
        await AssertConsistentAsync(store);
        Mount.Run("mount", "-o", "remount,size=128m", mount.Path);
        Assert.That(await store.GetAsync(await store.PutAsync(data)), Is.EqualTo(data));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task A_full_disk_is_told_once_and_so_is_its_end()
    {
        using var mount = Mount.Tmpfs(Scratch.Sub("full"), "size=2m");
        var told = new List<string?>();
        await using var store = await OpenAsync(limitBytes: 1 << 30, directory: mount.Path, writeFaultChanged: told.Add);
        for (int i = 0; i < 3; i++)
            Assert.ThrowsAsync<RpcException>(async () => await store.PutAsync(Blobs.Of(i, 3 << 20)));
        await store.PutAsync(Blobs.Of(10, 100));
        Assert.That(told, Has.Count.EqualTo(1), "one small blob that fits is not the end of it");
        Assert.That(told[0], Does.Contain("full").And.Contains(mount.Path).And.Contains("free some space"));

        Time.Advance(TimeSpan.FromMinutes(1));
        await store.PutAsync(Blobs.Of(11, 100));

        Assert.That(told, Is.EqualTo(new[] { told[0], null }));
    }

    [Test]
    public async Task A_disk_that_turns_read_only_refuses_uploads_and_says_why()
    {
        using var mount = Mount.Tmpfs(Scratch.Sub("ro"), "size=8m");
        await using (var store = await OpenAsync(directory: mount.Path))
            await store.PutAsync(Blobs.Of(1, 100));
        Mount.Run("mount", "-o", "remount,ro", mount.Path);

        var refused = Assert.ThrowsAsync<StorageDirectoryException>(() => OpenAsync(directory: mount.Path));

        Assert.That(refused!.Message, Does.Contain("read-only"));
    }

    [Test]
    public async Task A_directory_on_another_file_system_is_filled_by_copies()
    {
        using var mount = Mount.Tmpfs(Scratch.Sub("other"), "size=8m");
        await using var store = await OpenAsync();
        byte[] data = Blobs.Of(1, 100_000);
        var digest = await store.PutAsync(data);

        Assert.That(await store.TryLinkAsync(digest, true, Path.Combine(mount.Path, "f"), default), Is.True);
        Assert.That(File.ReadAllBytes(Path.Combine(mount.Path, "f")), Is.EqualTo(data));

        byte[] output = Blobs.Of(2, 100_000);
        File.WriteAllBytes(Path.Combine(mount.Path, "out"), output);
        using var file = File.OpenHandle(Path.Combine(mount.Path, "out"));
        var taken = await store.TakeFileAsync(Core.DigestFunction.Sha256, file, default);
        Assert.That(await store.GetAsync(taken), Is.EqualTo(output));
        await AssertConsistentAsync(store);
    }
}
