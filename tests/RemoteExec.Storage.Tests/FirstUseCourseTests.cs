using Grpc.Core;
using Microsoft.Win32.SafeHandles;
using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>What else goes on while files are hashed for the first time after a loss of power.</summary>
public sealed class FirstUseCourseTests : FirstUseFixture
{
    [Test]
    public async Task A_late_verdict_on_the_old_file_leaves_what_was_stored_anew()
    {
        byte[] data = Blobs.Of(1, BlobBytes);
        var digest = await LoseAsync(data);
        var news = new CorruptionNews();
        await using var store = await OpenAsync(readTwiceBytesMax: BlobBytes - 1, observer: news);
        await using var fast = await store.OpenToEndAsync(digest, 0, default);
        await using var slow = await store.OpenToEndAsync(digest, 0, default);

        Assert.That(async () => await fast!.ReadAsync(new byte[BlobBytes], default), Throws.InstanceOf<RpcException>());
        await store.PutAsync(data);
        Assert.That(async () => await slow!.ReadAsync(new byte[BlobBytes], default), Throws.InstanceOf<RpcException>());

        Assert.That(await store.HasAsync(digest), Is.True);
        Assert.That(await store.GetAsync(digest), Is.EqualTo(data));
        Assert.That(news.Corruptions, Is.EqualTo(1));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task The_end_of_the_server_does_not_wait_for_a_large_one()
    {
        byte[] data = Blobs.Of(1, 4 * PieceBytes);
        Digest digest;
        await using (var store = await OpenAsync()) digest = await store.PutAsync(data);
        LosePower();
        var disk = new MeteredDisk { IsHeld = true };
        var again = await OpenAsync(disk: disk);
        var opening = again.OpenReadAsync(digest, 0, default).AsTask();
        await disk.Begun.WaitAsync(Patience);

        var ending = again.DisposeAsync().AsTask();
        disk.LetGo();
        await ending.WaitAsync(Patience);

        var refused = Assert.ThrowsAsync<RpcException>(() => opening);
        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.Unavailable));
        Assert.That(disk.ReadBytes, Is.LessThanOrEqualTo(PieceBytes));
        await using var next = await OpenAsync();
        Assert.That(await next.GetAsync(digest), Is.EqualTo(data), "nothing was decided");
    }

    [Test]
    public async Task Uploads_go_on_beside_many_large_ones()
    {
        var digests = new List<Digest>();
        await using (var store = await OpenAsync(limitBytes: 1 << 30))
        {
            for (int i = 0; i < Math.Max(2, Environment.ProcessorCount) + 1; i++) digests.Add(await store.PutAsync(Blobs.Of(i, PieceBytes + 1)));
        }

        LosePower();
        var disk = new MeteredDisk { IsHeld = true };
        await using var again = await OpenAsync(limitBytes: 1 << 30, disk: disk);
        var opening = digests.Select(digest => again.OpenReadAsync(digest, 0, default).AsTask()).ToList();
        await disk.Begun.WaitAsync(Patience);

        await again.PutAsync(Blobs.Of(-1, 1 << 20)).WaitAsync(Patience); // large enough for the threads that hash

        disk.LetGo();
        foreach (var reader in await Task.WhenAll(opening).WaitAsync(Patience)) await reader!.DisposeAsync();
        Assert.That(again.Index.UnsureCount, Is.Zero);
    }

    [Test]
    public async Task Who_waits_for_the_same_look_that_fails_fails_by_itself()
    {
        var digest = await LoseAsync(Blobs.Of(1, BlobBytes));
        var disk = new MeteredDisk { IsHeld = true, ReadFault = Errno.EMFILE };
        await using var store = await OpenAsync(disk: disk);
        var opening = Enumerable.Range(0, 3).Select(_ => store.OpenReadAsync(digest, 0, default).AsTask()).ToList();

        disk.LetGo();
        var failures = opening.Select(one => Assert.ThrowsAsync<RpcException>(() => one.WaitAsync(Patience))).ToList();

        Assert.That(failures.Distinct().Count(), Is.EqualTo(failures.Count));
        Assert.That(failures.Select(failure => failure!.StatusCode), Is.All.EqualTo(StatusCode.Unavailable));
        Assert.That(store.Index.IsUnsure(digest), Is.True, "that is no fault of the file");
    }

    [Test]
    public async Task What_is_linked_is_promised_before_it_is_looked_at()
    {
        Digest digest;
        await using (var store = await OpenAsync()) digest = await store.PutAsync(Blobs.Of(1, BlobBytes));
        LosePower();
        var disk = new MeteredDisk { IsHeld = true };
        await using var again = await OpenAsync(limitBytes: BlobBytes, disk: disk);
        Time.Advance(Retention); // what a restart renewed has ended

        var linking = again.LinkManyAsync([new BlobLink(digest, Executable: true, Scratch.Sub("f"))], default).AsTask();
        await disk.Begun.WaitAsync(Patience);

        var refused = Assert.ThrowsAsync<RpcException>(async () => await again.PutAsync(Blobs.Of(2, BlobBytes)));
        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.ResourceExhausted), "there is room for one of them");
        disk.LetGo();
        Assert.That(await linking.WaitAsync(Patience), Is.Empty);
    }

    [Test]
    public async Task Files_are_flushed_before_the_end_of_a_run_is_noted()
    {
        var disk = new EndWatchingDisk(Path.Combine(StoreDirectory, "uses"));
        await using (var store = await OpenAsync(disk: disk))
        {
            var digest = await store.PutAsync(Blobs.Of(1, BlobBytes));
            Assert.That(await store.TryLinkAsync(digest, executable: false, Scratch.Sub("f"), default), Is.True);
        }

        Assert.That(disk.EndingsAtFlush, Is.EqualTo(new[] { UseLogEnding.Killed }), "should the machine go down now, the next run does not believe in the files");
        Assert.That(EndWatchingDisk.EndingOf(Path.Combine(StoreDirectory, "uses")), Is.EqualTo(UseLogEnding.Closed));
    }

    /// <summary>Sees what the log of uses says of the run whenever files are flushed.</summary>
    private sealed class EndWatchingDisk(string uses) : IDisk
    {
        private readonly Disk _disk = new();

        public List<UseLogEnding> EndingsAtFlush { get; } = [];

        public static UseLogEnding EndingOf(string uses) => UseRecords.Read(uses, new Disk(), new UseDictionary()).Ending;

        public int Flush(SafeFileHandle fileOrDirectory) => _disk.Flush(fileOrDirectory);

        public int FlushFileSystem(SafeFileHandle fileOrDirectory)
        {
            EndingsAtFlush.Add(EndingOf(uses));
            return 0;
        }

        public int Read(SafeFileHandle file, Span<byte> buffer, long offset) => _disk.Read(file, buffer, offset);
    }
}
