using NUnit.Framework;
using RemoteExec.Protocol;

namespace RemoteExec.Services.Tests;

internal sealed class CompleteTreeMemoryTests
{
    private static readonly TimeSpan Duration = TimeSpan.FromMinutes(10);
    private static readonly Digest Directory = Digest.Of(DigestFunction.Sha256, "a directory"u8);

    private readonly SteppingTime _time = new();

    [TestCase(1)]
    [TestCase(-1)]
    public void A_tree_is_remembered_for_its_time_whatever_the_wall_clock_does(int hours)
    {
        var memory = new CompleteTreeMemory(Duration, _time);
        memory.Add([new(Directory, TreeSummary.Empty)], _time.GetTimestamp());

        _time.StepWall(TimeSpan.FromHours(hours));
        _time.Advance(Duration - TimeSpan.FromTicks(1));
        Assert.That(memory.TryGet(Directory, out _), Is.True);

        _time.Advance(TimeSpan.FromTicks(1));
        Assert.That(memory.TryGet(Directory, out _), Is.False);
    }

    [Test]
    public void Time_spent_asking_counts()
    {
        var memory = new CompleteTreeMemory(Duration, _time);
        long askedAt = _time.GetTimestamp();
        _time.Advance(Duration);
        memory.Add([new(Directory, TreeSummary.Empty)], askedAt);

        Assert.That(memory.TryGet(Directory, out _), Is.False);
    }

    [Test]
    public void What_is_used_survives_a_huge_tree()
    {
        var memory = new CompleteTreeMemory(Duration, _time);
        memory.Add([new(Directory, new TreeSummary(7, 1, 1, 1))], _time.GetTimestamp());
        foreach (int part in Enumerable.Range(0, 4))
        {
            memory.Add(
                Enumerable.Range(part * 30_000, 30_000).Select(number =>
                    KeyValuePair.Create(Digest.Of(DigestFunction.Sha256, BitConverter.GetBytes(number)), TreeSummary.Empty)),
                _time.GetTimestamp());

            Assert.That(memory.TryGet(Directory, out var summary) ? summary.Entries : 0, Is.EqualTo(7), $"after {part}");
        }
    }

    /// <summary>A clock on the wall and one that only goes on.</summary>
    private sealed class SteppingTime : TimeProvider
    {
        private long _ticks = TimeSpan.TicksPerDay;
        private DateTimeOffset _wall = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _ticks;

        public override DateTimeOffset GetUtcNow() => _wall;

        public void Advance(TimeSpan by)
        {
            _ticks += by.Ticks;
            _wall += by;
        }

        public void StepWall(TimeSpan by) => _wall += by;
    }
}
