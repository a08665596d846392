using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>The index against a model that is a dictionary: whatever is done in whatever order, no promise is broken, and the accounts are exact.</summary>
public sealed class BlobIndexModelTests
{
    private const int Names = 300;
    private const long LimitBytes = 12_000;

    private static readonly TimeSpan Retention = TimeSpan.FromHours(6);
    private static readonly TimeSpan Granularity = TimeSpan.FromMinutes(10);
    private static readonly DigestFunction[] Functions = [.. DigestFunctions.Supported];

    private readonly Dictionary<Digest, Known> _model = [];
    private readonly LogOfUses _log = new();
    private readonly List<Digest[]> _results = []; // of an action cache: each is whole, or was seen to
    private readonly Digest[] _digests = [.. Enumerable.Range(0, Names).Select(DigestOf)];
    private Random _random = null!;
    private BlobIndex _index = null!;
    private DateTimeOffset _now;
    private int _evictions;
    private int _refusals;
    private int _briefHits;
    private int _longPromises;
    private int _wholeHits;
    private int _brokenResults;
    private int _givenUp;
    private long? _evictedUpToMs;

    private long NowMs => _now.ToUnixTimeMilliseconds();

    private long RetentionMs => (long)Retention.TotalMilliseconds;

    [Test]
    public void Random_steps_break_no_promise_and_lose_no_byte()
    {
        // Both as eng/model wants them.
        int steps = Wanted("MODEL_STEPS") ?? 200_000;
        int seed = Wanted("MODEL_SEED") ?? Environment.TickCount;
        TestContext.Progress.WriteLine($"{steps} steps, seed {seed}");
        _random = new Random(seed);
        (_evictions, _refusals, _briefHits, _longPromises, _wholeHits, _brokenResults, _givenUp) = (0, 0, 0, 0, 0, 0, 0);
        _evictedUpToMs = null;
        _model.Clear();
        _results.Clear();
        _log.Uses.Clear();
        _index = new BlobIndex(LimitBytes, Retention, Granularity, _log);
        _now = new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

        for (int step = 0; step < steps; step++)
        {
            // Mostly seconds and minutes, at times a night.
            _now += TimeSpan.FromSeconds(_random.Next(100) == 0 ? _random.Next(40_000) : _random.Next(300));
            switch (_random.Next(1000))
            {
                case < 400: Upload(); break;
                case < 600: Ask(PromiseKind.Use, Some(40)); break;
                case < 650: Ask(PromiseKind.Hit, Some(40)); break;
                case < 750: StoreResult(); break;
                case < 800: HitResult(); break;
                case < 850: Use(); break;
                case < 880: UseMany(); break;
                case < 930: MakeFile(); break;
                case < 970: Move(); break;
                case < 995: Remove(); break;
                default: Restart(); break;
            }

            SettleResults();
            if (step % 16 == 0) CompareUsage();
        }

        CompareUsage();
        TestContext.Progress.WriteLine(
            $"{_evictions} evictions, {_refusals} refusals, {_briefHits} brief and {_longPromises} long promises; {_wholeHits} hits, {_brokenResults} results lost a blob, "
            + $"and {_givenUp} more went with them: no broken promise");
        Assert.That(_evictions, Is.GreaterThan(steps / 100), "the store was under pressure");
        Assert.That(_refusals, Is.GreaterThan(steps / 100));
        Assert.That(_briefHits, Is.GreaterThan(steps / 100));
        Assert.That(_longPromises, Is.GreaterThan(steps / 2000));
        Assert.That(_wholeHits, Is.GreaterThan(steps / 1000));
        Assert.That(_brokenResults, Is.GreaterThan(steps / 200));
        Assert.That(_givenUp, Is.GreaterThan(steps / 2000));
    }

    private static int? Wanted(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? int.Parse(text) : null;

    private static Digest DigestOf(int number)
    {
        var function = Functions[number % Functions.Length];
        byte[] hash = new byte[function.HashBytes()];
        BitConverter.TryWriteBytes(hash, number / 2);
        // Some differ in their last byte alone, which for long hashes is in another place; some in nothing but the size.
        hash[^1] = (byte)(number % 2);
        return Digest.FromHash(function, hash, number % 7 == 0 ? 2000 + number : 100 + number);
    }

    private Digest Any() => _digests[_random.Next(Names)];

    private Digest[] Some(int max)
    {
        var some = new Digest[_random.Next(1, max)];
        for (int i = 0; i < some.Length; i++) some[i] = Any();
        return some;
    }

    private void Upload()
    {
        var digest = Any();
        var blob = _random.Next(2) == 0
            ? new StoredBlob(digest, new BlobPlace(1 + _random.Next(_random.Next(4) == 0 ? int.MaxValue - 1 : 100), _random.Next(1 << 26)), BlobFileKinds.None)
            : new StoredBlob(digest, default, BlobFileKinds.Executable);
        if (!TryReserve(digest.SizeBytes)) return;
        if (_random.Next(10) == 0)
        {
            _index.Release(digest.SizeBytes);
            return;
        }

        bool isKnown = _model.ContainsKey(digest);
        AddResult result;
        if (_random.Next(2) == 0)
        {
            result = _index.Add(digest, blob.Place, blob.Files, digest.SizeBytes, _now);
        }
        else
        {
            var results = new AddResult[1];
            _index.AddMany([blob], _now, results);
            result = results[0];
        }

        Assert.That(result, Is.EqualTo(isKnown ? AddResult.Present : AddResult.Added));
        if (!isKnown) _model[digest] = new Known(blob);
        Used(_model[digest]);
    }

    private void Used(Known known) => known.UseMs = Math.Max(known.UseMs, NowMs);

    private bool TryReserve(long bytes)
    {
        var reservation = _index.Reserve(bytes, _now, victim =>
        {
            var known = _model[victim.Digest];
            Assert.That(victim, Is.EqualTo(known.Blob));
            Assert.That(known.UseMs + RetentionMs, Is.LessThanOrEqualTo(NowMs), "a promise was broken");
            Assert.That(known.UseMs, Is.EqualTo(_model.Values.Min(other => other.UseMs)), "somebody was used longer ago");
            _model.Remove(victim.Digest);
            _log.Uses.Remove(victim.Digest);
            _evictedUpToMs = Math.Max(known.UseMs, _evictedUpToMs ?? 0);
            _evictions++;
        });
        Assert.That(_index.EvictedUpToMs, Is.EqualTo(_evictedUpToMs));
        if (reservation.Result == ReservationResult.Granted) return true;

        _refusals++;
        long firstEndMs = _model.Values.Min(known => known.UseMs) + RetentionMs;
        Assert.That(reservation, Is.EqualTo(Reservation.Refused(TimeSpan.FromMilliseconds(firstEndMs - NowMs))));
        Assert.That(firstEndMs, Is.GreaterThan(NowMs), "refused although somebody could go");
        return false;
    }

    private void Ask(PromiseKind kind, Digest[] asked)
    {
        bool isHalfPromised = PromisedBytes() > LimitBytes / 2;
        bool isBrief = kind == PromiseKind.Brief || (kind == PromiseKind.Hit && isHalfPromised);
        bool isLong = kind == PromiseKind.Long && !isHalfPromised;
        long useMs = isBrief ? NowMs - RetentionMs + (long)RetentionRule.BriefMax.TotalMilliseconds : isLong ? NowMs + (RetentionMs / 2) : NowMs;
        if (isBrief) _briefHits++;
        if (isLong) _longPromises++;

        var missing = new List<Digest>();
        _index.TouchMany(asked, 0, asked.Length, _now, missing, kind);

        Assert.That(missing, Is.EqualTo(asked.Where(digest => !_model.ContainsKey(digest))));
        foreach (var digest in asked)
            if (_model.TryGetValue(digest, out var known)) known.UseMs = Math.Max(known.UseMs, useMs);
    }

    /// <summary>Of what is there, with one of the wishes that its client may have.</summary>
    private void StoreResult()
    {
        // The first one of a morning finds a store in which nobody is promised anything any more.
        if (_random.Next(8) == 0) _now += Retention + TimeSpan.FromHours(3);
        Digest[] blobs = [.. Some(12).Distinct().Where(_model.ContainsKey)];
        if (blobs.Length < 2) return;

        Ask(_random.Next(6) switch { 0 => PromiseKind.Brief, 1 or 2 => PromiseKind.Long, _ => PromiseKind.Use }, blobs);
        if (_results.Count == 40) _results.RemoveAt(_random.Next(40));
        _results.Add(blobs);
    }

    private void HitResult()
    {
        if (_results.Count == 0) return;
        Ask(PromiseKind.Hit, _results[_random.Next(_results.Count)]); // of which nothing is missing
        _wholeHits++;
    }

    /// <summary>What lost a blob is let go, and what is left of it: that of which nobody was promised anything, and which nobody has used since.</summary>
    private void SettleResults()
    {
        // Whoever shares a blob that went is broken by that, and comes to its turn.
        while (_results.FindIndex(result => !Array.TrueForAll(result, _model.ContainsKey)) is var broken and >= 0)
        {
            Digest[] left = [.. _results[broken].Where(_model.ContainsKey)];
            _results.RemoveAt(broken);
            _brokenResults++;
            if (_index.EvictedUpToMs is not { } upToMs) continue;

            var expected = left.Where(digest => _model[digest].UseMs <= upToMs).ToHashSet();
            _index.GiveUp(left, upToMs, _now, victim =>
            {
                Assert.That(expected.Remove(victim.Digest), "it was used since");
                Assert.That(_model.Remove(victim.Digest, out var known));
                Assert.That(victim, Is.EqualTo(known!.Blob));
                Assert.That(known.UseMs + RetentionMs, Is.LessThanOrEqualTo(NowMs), "a promise was broken");
                _log.Uses.Remove(victim.Digest);
                _givenUp++;
            });
            Assert.That(expected, Is.Empty, "left over of a result that nobody can be served");
        }
    }

    private void Use()
    {
        var digest = Any();
        bool isHere = _index.TryUse(digest, _now, out var blob);
        Assert.That((isHere, blob), Is.EqualTo((_model.TryGetValue(digest, out var known), known?.Blob ?? default)));
        if (known is not null) Used(known);
    }

    private void UseMany()
    {
        var asked = new Digest[_random.Next(1, 70)];
        for (int i = 0; i < asked.Length; i++) asked[i] = Any();
        var found = new StoredBlob?[asked.Length];
        _index.UseMany(asked, _now, found);
        for (int i = 0; i < asked.Length; i++)
        {
            Assert.That(found[i], Is.EqualTo(_model.TryGetValue(asked[i], out var known) ? known.Blob : (StoredBlob?)null));
            if (known is not null) Used(known);
        }
    }

    private void MakeFile()
    {
        var digest = Any();
        var kind = _random.Next(2) == 0 ? BlobFileKinds.Executable : BlobFileKinds.Data;
        if (!TryReserve(digest.SizeBytes)) return;

        bool isWanted = _model.TryGetValue(digest, out var known) && !known.Blob.Files.HasFlag(kind);
        bool isAdded = _index.AddFile(digest, kind, digest.SizeBytes);
        if (!isAdded) _index.Release(digest.SizeBytes);
        Assert.That(isAdded, Is.EqualTo(isWanted));
        if (isWanted) known!.Blob = known.Blob with { Files = known.Blob.Files | kind };
        Assert.That(_index.FilesOf(digest), Is.EqualTo(known?.Blob.Files ?? BlobFileKinds.None));
    }

    private void Move()
    {
        var digest = Any();
        if (!_model.TryGetValue(digest, out var known) || known.Blob.Place.IsNone)
        {
            Assert.That(_index.TryMove(digest, new BlobPlace(1, 1), new BlobPlace(2, 2)), Is.False);
            return;
        }

        var to = known.Blob.Files != BlobFileKinds.None && _random.Next(2) == 0 ? default : new BlobPlace(_random.Next(1, 1 << 20), _random.Next(1 << 26));
        Assert.That(_index.TryMove(digest, known.Blob.Place, to), Is.True);
        known.Blob = known.Blob with { Place = to };
    }

    private void Remove()
    {
        var digest = Any();
        StoredBlob? removed = null;
        bool isRemoved = _index.Remove(digest, blob => removed = blob);
        Assert.That((isRemoved, removed), Is.EqualTo((_model.Remove(digest, out var known), known?.Blob)));
        _log.Uses.Remove(digest);
    }

    /// <summary>In order, killed, or with a loss of power: what was promised stays so.</summary>
    private void Restart()
    {
        var ending = (UseLogEnding)_random.Next(3);
        if (ending == UseLogEnding.Closed) Tell(_log.Uses);
        foreach (var (digest, known) in _model)
            Assert.That(known.UseMs - _log.Uses[digest], Is.InRange(0, (long)Granularity.TotalMilliseconds), "the log is as exact as it says");

        _now += TimeSpan.FromSeconds(_random.Next(1000));
        _index = new BlobIndex(LimitBytes, Retention, Granularity);
        _evictedUpToMs = null;
        var restart = _index.Restart();
        restart.Expect(_random.Next(200));
        // Older uses of the same blobs, uses of blobs that are gone, and in no order.
        var recorded = _log.Uses.Concat(_log.Uses.Take(20).Select(use => KeyValuePair.Create(use.Key, use.Value - 5000)))
            .Concat(_digests.Where(digest => !_model.ContainsKey(digest)).Take(20).Select(digest => KeyValuePair.Create(digest, NowMs))).ToArray();
        _random.Shuffle(recorded);
        foreach (var group in recorded.Chunk(BlobTable.TogetherMax))
            restart.Remember([.. group.Select(use => use.Key)], [.. group.Select(use => use.Value)]);
        restart.Put([.. _model.Values.Select(known => known.Blob)]);
        restart.Finish(new UseHistory(ending, IsOfThisBoot: false, Clock: null, EndBytes: 0), Retention, Granularity, _now);
        _index.RecordTo(_log);
        var told = new Dictionary<Digest, long>();
        Tell(told);
        foreach (var (digest, known) in _model)
        {
            long latestMs = Math.Max(NowMs, known.UseMs + (long)Granularity.TotalMilliseconds);
            Assert.That(told[digest], ending == UseLogEnding.Closed ? Is.EqualTo(known.UseMs) : Is.InRange(known.UseMs, latestMs));
            known.UseMs = told[digest];
        }

        // A log that is good for more than the order goes on as it is.
        if (ending == UseLogEnding.Unknown || _random.Next(2) == 0) Tell(_log.Uses);
    }

    private void Tell(Dictionary<Digest, long> uses)
    {
        uses.Clear();
        _index.RecordAll(slice =>
        {
            foreach (var use in slice) uses.Add(use.Digest, use.UseMs);
        });
    }

    private long PromisedBytes() => _model.Values.Where(known => known.UseMs + RetentionMs > NowMs).Sum(known => known.Blob.AccountedBytes);

    private void CompareUsage()
    {
        var usage = _index.Usage(isSuspect: false, _now);
        Assert.That(
            (usage.UsedBytes, usage.ReservedBytes, usage.PromisedBytes, usage.Blobs, usage.OldestUse?.ToUnixTimeMilliseconds()),
            Is.EqualTo((_model.Values.Sum(known => known.Blob.AccountedBytes), 0, PromisedBytes(), _model.Count, _model.Count == 0 ? (long?)null : _model.Values.Min(known => known.UseMs))));
    }

    private sealed class Known(StoredBlob blob)
    {
        public StoredBlob Blob { get; set; } = blob;

        public long UseMs { get; set; }
    }

    private sealed class LogOfUses : IUseRecorder
    {
        public Dictionary<Digest, long> Uses { get; } = [];

        public void Record(in Digest digest, long useMs) => Uses[digest] = useMs;
    }
}
