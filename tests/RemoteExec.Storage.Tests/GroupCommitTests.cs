using Microsoft.Win32.SafeHandles;
using NUnit.Framework;
using NUnit.Framework.Constraints;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>A fault of whatever kind is that of one upload: everybody else is stored, and everybody is answered.</summary>
public sealed class GroupCommitTests
{
    private const int Uploads = 6;

    // Far beyond any batch; a hang becomes a failure.
    private static readonly TimeSpan Within = TimeSpan.FromSeconds(60);

    private readonly ManualTime _time = new();
    private readonly FaultyParts _parts = new();
    private Scratch _scratch = null!;
    private BlobFiles _files = null!;
    private UseLog _uses = null!;
    private BlobIndex _index = null!;
    private GroupCommit _commits = null!;

    [SetUp]
    public void Open()
    {
        _scratch = new Scratch();
        _parts.Reset();
        _files = BlobFiles.Open(_scratch.Sub("cas"), new Disk());
        _uses = UseLog.Open(_files.UseLogPath, UseRecords.Read(_files.UseLogPath, new Disk(), new UseDictionary()), new Disk(), new SteadyTime(_time), _ => { });
        _index = new BlobIndex(1 << 20, TimeSpan.FromHours(4), TimeSpan.FromMinutes(10), _parts);
        _commits = new GroupCommit(
            _files, _index, _uses, _parts, new DiskWriteHealth(_ => throw new InvalidTimeZoneException("odd"), _time), GuardedBlobStoreObserver.Nobody, _time);
    }

    [TearDown]
    public async Task Close()
    {
        await _commits.DrainAsync();
        _uses.Dispose();
        _files.Dispose();
        _scratch.Dispose();
    }

    [Test]
    public async Task A_use_that_cannot_be_noted_fails_its_upload_alone()
    {
        var outcomes = await CommitAsync(beforeRelease: () => _parts.FaultyDigest = DigestOf(2));

        // The two uploads of the same blob have one fate.
        Assert.That(outcomes[2], Is.InstanceOf<InvalidTimeZoneException>());
        Assert.That(outcomes[Uploads], Is.SameAs(outcomes[2]));
        AssertStored(outcomes, except: 2);

        _parts.Reset();
        Assert.That(await CommitOneAsync(2), Is.EqualTo(PublishResult.Published), "nothing is in the way of another try");
    }

    [Test]
    public async Task A_flush_of_a_file_that_throws_fails_its_upload_alone()
    {
        var outcomes = await CommitAsync(beforeRelease: () => _parts.FaultyTemp = "3");

        Assert.That(outcomes[3], Is.InstanceOf<InvalidTimeZoneException>());
        AssertStored(outcomes, except: 3);
    }

    [Test]
    public async Task A_flush_of_a_directory_that_throws_takes_back_what_is_in_it()
    {
        int shard = BlobFiles.ShardNumber(DigestOf(1));
        var outcomes = await CommitAsync(beforeRelease: () => _parts.FaultyTemp = $"blobs/{shard:x}");

        for (int i = 0; i < Uploads; i++)
        {
            bool isThere = BlobFiles.ShardNumber(DigestOf(i)) == shard;
            Assert.That(outcomes[i], isThere ? Is.InstanceOf<InvalidTimeZoneException>() : Stored, $"{i}");
            Assert.That(_files.TryOpen(DigestOf(i)) is null, Is.EqualTo(isThere));
        }
    }

    // Of two uploads of one blob either may be the one that is stored.
    private static IResolveConstraint Stored => Is.EqualTo(PublishResult.Published).Or.EqualTo(PublishResult.AlreadyPresent);

    private static Digest DigestOf(int number) => Blobs.DigestOf(Blobs.Of(number, 100));

    /// <summary>One batch: all uploads, the third of them twice, wait while a first one is held in its flush.</summary>
    private async Task<object[]> CommitAsync(Action beforeRelease)
    {
        var reached = _parts.Hold();
        var first = CommitOneAsync(100);
        await reached.WaitAsync(Within);
        var commits = Enumerable.Range(0, Uploads).Append(2).Select(CommitOneAsync).ToList();
        beforeRelease();
        _parts.Release();
        await first.WaitAsync(Within);
        return await Task.WhenAll(commits.Select(async commit =>
        {
            try
            {
                return (object)await commit.WaitAsync(Within);
            }
            catch (Exception failure)
            {
                return failure;
            }
        }));
    }

    private async Task<PublishResult> CommitOneAsync(int number)
    {
        byte[] data = Blobs.Of(number, 100);
        using var file = _files.CreateTemp(out string temp);
        RandomAccess.Write(file, data, 0);
        _parts.Names.TryAdd(temp, $"{number}");
        _index.Reserve(data.Length, _time.GetUtcNow(), _ => { });
        var result = PublishResult.AlreadyPresent;
        try
        {
            return result = await _commits.CommitAsync(new PendingCommit(Blobs.DigestOf(data), file, temp, IsFlushed: false));
        }
        finally
        {
            if (result != PublishResult.Published) _index.Release(data.Length);
        }
    }

    private void AssertStored(object[] outcomes, int except)
    {
        for (int i = 0; i < Uploads; i++)
        {
            if (i != except) Assert.That(outcomes[i], Stored, $"{i}");
            using var file = _files.TryOpen(DigestOf(i));
            Assert.That(file is null, Is.EqualTo(i == except), $"{i}");
        }

        var usage = _index.Usage(isSuspect: false, DateTimeOffset.UnixEpoch);
        Assert.That((usage.Blobs, usage.UsedBytes, usage.ReservedBytes), Is.EqualTo((Uploads, Uploads * 100L, 0L)), "all but one, and the first");
    }

    /// <summary>A disk and a recorder that throw what nobody expects of them.</summary>
    private sealed class FaultyParts : IDisk, IUseRecorder
    {
        private readonly Disk _disk = new();
        private ManualResetEventSlim? _gate;
        private TaskCompletionSource? _reached;

        public System.Collections.Concurrent.ConcurrentDictionary<string, string> Names { get; } = new();

        public Digest? FaultyDigest { get; set; }

        public string? FaultyTemp { get; set; }

        public void Reset() => (FaultyDigest, FaultyTemp) = (null, null);

        public Task Hold()
        {
            _gate = new ManualResetEventSlim();
            _reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _reached.Task;
        }

        public void Release() => _gate!.Set();

        public int Flush(SafeFileHandle fileOrDirectory)
        {
            var (gate, reached) = (_gate, _reached);
            _reached = null;
            if (reached is not null)
            {
                reached.SetResult();
                gate!.Wait();
            }

            string path = new FileInfo($"/proc/self/fd/{fileOrDirectory.DangerousGetHandle()}").LinkTarget!;
            if (FaultyTemp is not null && (path.EndsWith(FaultyTemp, StringComparison.Ordinal) && path.Contains("blobs/") || Names.GetValueOrDefault(Path.GetFileName(path)) == FaultyTemp))
                throw new InvalidTimeZoneException("odd");
            return _disk.Flush(fileOrDirectory);
        }

        public int Read(SafeFileHandle file, Span<byte> buffer, long offset) => _disk.Read(file, buffer, offset);

        public void Record(in Digest digest, long useMs)
        {
            if (digest == FaultyDigest) throw new InvalidTimeZoneException("odd");
        }
    }
}
