using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

public sealed class BlobIndexTests
{
    private static readonly TimeSpan Granularity = TimeSpan.FromMinutes(10);

    private readonly ManualTime _time = new();

    [Test]
    public void A_fresh_log_of_a_million_blobs_holds_the_lock_for_a_slice_at_a_time()
    {
        const int blobs = 1_000_000;
        var index = IndexOf(blobs, recorder: null);
        int told = 0, largest = 0;
        index.RecordAll(slice =>
        {
            Assert.That(index.Gate.IsHeldByCurrentThread, Is.False);
            told += slice.Count;
            largest = Math.Max(largest, slice.Count);
        });

        Assert.That((told, largest), Is.EqualTo((blobs, BlobIndex.EntriesPerHold)));
    }

    [Test]
    public void What_is_used_stored_or_removed_between_two_slices_is_recorded_as_it_is_and_the_walk_ends()
    {
        const int blobs = 10 * BlobIndex.EntriesPerHold;
        var recorder = new Recorder();
        var index = IndexOf(blobs, recorder);
        var random = new Random(7);
        int nextNew = blobs;
        var removed = new HashSet<Digest>();
        var told = new List<BlobUse>();
        int slices = 0;
        index.RecordAll(slice =>
        {
            slices++;
            told.AddRange(slice);
            // More than is told meanwhile, and among it what comes next, what was told, and what the walk stands at.
            _time.Advance(TimeSpan.FromSeconds(1));
            for (int i = 0; i < 2 * BlobIndex.EntriesPerHold; i++)
                if (!removed.Contains(DigestOf(i))) Assert.That(index.Touch(DigestOf((i * 7) % blobs), _time.GetUtcNow()) || removed.Contains(DigestOf((i * 7) % blobs)), Is.True);
            var victim = DigestOf(random.Next(blobs));
            removed.Add(victim);
            index.Remove(victim, _ => { });
            Assert.That(index.Reserve(1, _time.GetUtcNow(), _ => { }).Result, Is.EqualTo(ReservationResult.Granted));
            index.Add(DigestOf(nextNew++), default, BlobFileKinds.Executable, 1, _time.GetUtcNow());
        });

        Assert.That(slices, Is.LessThanOrEqualTo(11));
        var newest = told.Concat(recorder.Uses).GroupBy(use => use.Digest).ToDictionary(uses => uses.Key, uses => uses.Max(use => use.UseMs));
        var expected = new Dictionary<Digest, long>();
        index.RecordAll(slice => { foreach (var use in slice) expected.Add(use.Digest, use.UseMs); });
        Assert.That(expected, Has.Count.EqualTo(nextNew - removed.Count));
        foreach (var (digest, useMs) in expected)
            Assert.That(useMs - newest[digest], Is.LessThan((long)Granularity.TotalMilliseconds), $"{digest}");
    }

    [Test]
    public void Tiny_blobs_find_room_up_to_a_number_and_then_push_out_the_oldest_as_others_do()
    {
        const int blobsMax = 10;
        var retention = TimeSpan.FromHours(4);
        var index = new BlobIndex(limitBytes: 1 << 20, retention, Granularity) { BlobsMax = blobsMax };
        for (int i = 0; i < blobsMax; i++) Store(i, ReservationResult.Granted);

        var refused = Store(blobsMax, ReservationResult.Refused);
        Assert.That((refused.BlobsMax, refused.RetryAfter), Is.EqualTo(((long)blobsMax, retention)));
        Assert.That(index.Usage(isSuspect: false, _time.GetUtcNow()).UsedBytes, Is.EqualTo(blobsMax * DigestOf(0).SizeBytes), "their bytes and nothing else");
        Assert.That(index.Reserve(1, _time.GetUtcNow(), _ => { }, blobs: 0).Result, Is.EqualTo(ReservationResult.Granted), "one more file of one that is there");
        index.Release(1);

        _time.Advance(retention);
        var evicted = new List<Digest>();
        Assert.That(index.Reserve(3, _time.GetUtcNow(), blob => evicted.Add(blob.Digest), blobs: 3).Result, Is.EqualTo(ReservationResult.Granted));
        Assert.That(evicted, Is.EqualTo(new[] { DigestOf(0), DigestOf(1), DigestOf(2) }));

        Reservation Store(int number, ReservationResult expected)
        {
            var digest = DigestOf(number);
            var reservation = index.Reserve(digest.SizeBytes, _time.GetUtcNow(), _ => { });
            Assert.That(reservation.Result, Is.EqualTo(expected));
            if (expected == ReservationResult.Granted) index.Add(digest, default, BlobFileKinds.Executable, digest.SizeBytes, _time.GetUtcNow());
            return reservation;
        }
    }

    [Test]
    public void A_store_holds_so_many_blobs_as_its_limit_has_room_for_what_they_cost_beside_their_bytes() =>
        Assert.That(new BlobIndex(limitBytes: 100L << 30, TimeSpan.Zero, Granularity).BlobsMax, Is.EqualTo((100L << 30) / 512));

    [Test]
    public void A_store_that_promises_nothing_has_room_at_once_also_for_what_was_used_just_now()
    {
        var index = new BlobIndex(limitBytes: 10, TimeSpan.Zero, Granularity);
        var time = new ManualTime();
        time.Advance(TimeSpan.FromMilliseconds(1)); // no full second
        var digest = DigestOf(0);
        index.Reserve(digest.SizeBytes, time.GetUtcNow(), _ => { });
        index.Add(digest, default, BlobFileKinds.Executable, digest.SizeBytes, time.GetUtcNow());
        Assert.That(index.TryUse(digest, time.GetUtcNow(), out _), Is.True);
        index.TouchMany([digest], 0, 1, time.GetUtcNow(), []);

        Assert.That(index.Reserve(1, time.GetUtcNow(), _ => { }).Result, Is.EqualTo(ReservationResult.Granted));
    }

    [Test]
    public void Who_is_used_during_the_walk_is_told_or_recorded_with_that_use()
    {
        var recorder = new Recorder();
        var index = IndexOf(3 * BlobIndex.EntriesPerHold, recorder);
        var (first, last) = (DigestOf(0), DigestOf((3 * BlobIndex.EntriesPerHold) - 1));
        var told = new Dictionary<Digest, long>();
        index.RecordAll(slice =>
        {
            foreach (var use in slice) told.Add(use.Digest, use.UseMs);
            if (told.Count > BlobIndex.EntriesPerHold) return;
            _time.Advance(Granularity);
            index.Touch(first, _time.GetUtcNow());
            index.Touch(last, _time.GetUtcNow());
        });

        long nowMs = _time.GetUtcNow().ToUnixTimeMilliseconds();
        Assert.That(told[last], Is.EqualTo(nowMs));
        Assert.That(recorder.Uses, Does.Contain(new BlobUse(first, nowMs)), "it had been told before");
    }

    [Test]
    public void A_use_that_cannot_be_noted_changes_nothing()
    {
        var recorder = new Recorder();
        var index = IndexOf(1, recorder);
        var fresh = DigestOf(5);
        index.Reserve(10, _time.GetUtcNow(), _ => { });
        var before = index.Usage(isSuspect: false, _time.GetUtcNow());
        recorder.Fault = new InvalidTimeZoneException("odd");
        _time.Advance(Granularity);

        Assert.Throws<InvalidTimeZoneException>(() => index.Add(fresh, default, BlobFileKinds.Executable, 10, _time.GetUtcNow()));
        Assert.Throws<InvalidTimeZoneException>(() => index.Touch(DigestOf(0), _time.GetUtcNow()));

        Assert.That(index.Usage(isSuspect: false, _time.GetUtcNow()), Is.EqualTo(before));
        recorder.Fault = null;
        Assert.That(index.Touch(fresh, _time.GetUtcNow()), Is.False);
    }

    [Test]
    public void A_large_eviction_holds_the_lock_for_a_slice_at_a_time()
    {
        const int blobs = (10 * BlobIndex.EvictionsPerHold) + 1;
        var now = _time.GetUtcNow();
        var index = new BlobIndex(blobs * 10, TimeSpan.Zero, Granularity, recorder: null);
        Restore(index, blobs, now);
        int evicted = 0, slice = 0, pauses = 0;

        var reservation = index.Reserve(blobs * 10, now, Evict, Pause);

        Assert.That((reservation.Result, evicted, pauses), Is.EqualTo((ReservationResult.Granted, blobs, 10)));

        void Evict(StoredBlob blob)
        {
            evicted++;
            Assert.That(++slice, Is.LessThanOrEqualTo(BlobIndex.EvictionsPerHold));
        }

        void Pause()
        {
            Assert.That(index.Gate.IsHeldByCurrentThread, Is.False);
            (slice, pauses) = (0, pauses + 1);
        }
    }

    [Test]
    public void What_is_promised_is_what_was_used_within_the_retention()
    {
        var retention = TimeSpan.FromHours(4);
        int blobs = (2 * BlobIndex.EntriesPerHold) + 5;
        var index = IndexOf(blobs, recorder: null);
        long Promised() => index.Usage(isSuspect: false, _time.GetUtcNow()).PromisedBytes;
        Assert.That(Promised(), Is.EqualTo(blobs * 10));

        _time.Advance(retention / 2);
        for (int i = 0; i < 3; i++) index.Touch(DigestOf(i), _time.GetUtcNow());
        _time.Advance(retention / 2);
        Assert.That(Promised(), Is.EqualTo(30));

        index.Touch(DigestOf(blobs - 1), _time.GetUtcNow());
        Assert.That(Promised(), Is.EqualTo(40), "used again, promised again");
        index.Remove(DigestOf(4), _ => { });
        index.Remove(DigestOf(0), _ => { });
        Assert.That(Promised(), Is.EqualTo(30), "only what was promised counts");
        index.Reserve(10, _time.GetUtcNow(), _ => { });
        Assert.That(index.AddFile(DigestOf(5), BlobFileKinds.Data, 10), "one that is promised to nobody");
        Assert.That(Promised(), Is.EqualTo(30));

        _time.Advance(retention);
        Assert.That(Promised(), Is.Zero);
        index.Touch(DigestOf(blobs - 1), _time.GetUtcNow());
        Assert.That(Promised(), Is.EqualTo(10), "also when it was the newest already");
    }

    [Test]
    public void A_blob_in_a_segment_counts_once_and_once_more_for_each_file_it_gets()
    {
        var index = new BlobIndex(1000, TimeSpan.FromHours(4), Granularity, recorder: null);
        var (digest, place) = (DigestOf(1), new BlobPlace(1, 512));
        long Used() => index.Usage(isSuspect: false, _time.GetUtcNow()).UsedBytes;
        index.Reserve(30, _time.GetUtcNow(), _ => { });

        Assert.That(index.Add(digest, place, BlobFileKinds.None, 10, _time.GetUtcNow()), Is.EqualTo(AddResult.Added));
        Assert.That(Used(), Is.EqualTo(10));
        Assert.That(index.AddFile(digest, BlobFileKinds.Executable, 10), Is.True);
        Assert.That(index.AddFile(digest, BlobFileKinds.Executable, 10), Is.False, "once");
        Assert.That((Used(), index.FilesOf(digest)), Is.EqualTo((20, BlobFileKinds.Executable)));

        Assert.That(index.TryMove(digest, new BlobPlace(1, 0), default), Is.False, "it was not there");
        Assert.That(index.TryMove(digest, place, new BlobPlace(2, 64)), Is.True);
        Assert.That((Used(), index.TryUse(digest, _time.GetUtcNow(), out var blob)), Is.EqualTo((20, true)));
        Assert.That(blob, Is.EqualTo(new StoredBlob(digest, new BlobPlace(2, 64), BlobFileKinds.Executable)));
        Assert.That(index.TryMove(digest, blob.Place, default), Is.True);
        Assert.That((Used(), index.Usage(isSuspect: false, _time.GetUtcNow()).ReservedBytes), Is.EqualTo((10, 10)));
    }

    [Test]
    public void Many_are_added_in_one_step_and_each_is_told_whether_it_was_there()
    {
        var recorder = new Recorder();
        var index = new BlobIndex(1000, TimeSpan.FromHours(4), Granularity, recorder);
        StoredBlob At(int number) => new(DigestOf(number), new BlobPlace(1, number), BlobFileKinds.None);
        index.Reserve(60, _time.GetUtcNow(), _ => { });
        var results = new AddResult[3];

        index.AddMany([At(1), At(2), At(1)], _time.GetUtcNow(), results);
        Assert.That(results, Is.EqualTo(new[] { AddResult.Added, AddResult.Added, AddResult.Present }));

        recorder.Fault = new InvalidTimeZoneException("odd");
        Assert.Throws<InvalidTimeZoneException>(() => index.AddMany([At(2), At(3), At(4)], _time.GetUtcNow(), results));
        Assert.That(results, Is.EqualTo(new[] { AddResult.Present, AddResult.NotAdded, AddResult.NotAdded }));
        var usage = index.Usage(isSuspect: false, _time.GetUtcNow());
        Assert.That((usage.UsedBytes, usage.ReservedBytes, usage.Blobs), Is.EqualTo((20, 20, 2)));

        var found = new StoredBlob?[2];
        index.UseMany([DigestOf(4), DigestOf(2)], _time.GetUtcNow(), found);
        Assert.That(found, Is.EqualTo(new StoredBlob?[] { null, At(2) }));
    }

    private static Digest DigestOf(int number)
    {
        byte[] hash = new byte[32];
        BitConverter.TryWriteBytes(hash, number);
        return Digest.FromHash(DigestFunction.Sha256, hash, 10);
    }

    private BlobIndex IndexOf(int blobs, IUseRecorder? recorder)
    {
        var now = _time.GetUtcNow();
        var index = new BlobIndex(long.MaxValue / 2, TimeSpan.FromHours(4), Granularity, recorder);
        Restore(index, blobs, now);
        return index;
    }

    private static void Restore(BlobIndex index, int blobs, DateTimeOffset now)
    {
        var restart = index.Restart();
        for (int i = 0; i < blobs; i++) restart.Put([new StoredBlob(DigestOf(i), default, BlobFileKinds.Executable)]);
        restart.Finish(new UseHistory(UseLogEnding.Closed, IsOfThisBoot: false, Clock: null, EndBytes: 0), TimeSpan.FromHours(4), Granularity, now);
    }

    private sealed class Recorder : IUseRecorder
    {
        public List<BlobUse> Uses { get; } = [];

        public Exception? Fault { get; set; }

        public void Record(in Digest digest, long useMs)
        {
            if (Fault is not null) throw Fault;
            Uses.Add(new BlobUse(digest, useMs));
        }
    }
}
