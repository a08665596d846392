using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

public sealed class ResultDuesTests
{
    private readonly CacheSegment _segment = new(null!); // of which nothing is read

    [Test]
    public void Those_of_one_time_come_in_turn()
    {
        var dues = new ResultDues(TimeSpan.Zero);
        CachedResult[] results = [NewResult(), NewResult(), NewResult()];
        foreach (var result in results) dues.PutBack(result, 5);
        dues.PutBack(NewResult(), 6);

        for (int round = 0; round < 3; round++)
        {
            for (int i = 0; i < results.Length; i++)
            {
                Assert.That(dues.Take(5), Is.SameAs(results[i]));
                dues.PutBack(results[i], 5);
            }
        }

        Assert.That(dues.Take(4), Is.Null);
    }

    [Test]
    public void Results_that_are_gone_are_not_remembered_for_long()
    {
        var dues = new ResultDues(TimeSpan.FromHours(1));
        CachedResult? last = null;
        for (int i = 0; i < 20_000; i++)
        {
            last?.Evict();
            dues.Add(last = NewResult(), living: 1);
            Assert.That(dues.Count, Is.LessThan(1100));
        }

        Assert.That(dues.Take(long.MaxValue), Is.SameAs(last));
        Assert.That(dues.Take(long.MaxValue), Is.Null);
    }

    private CachedResult NewResult()
    {
        var result = new CachedResult(default) { LastUse = new DateTime(2030, 1, 1, 0, 0, 0, DateTimeKind.Utc) };
        result.MoveTo(new RecordPlace(_segment, 0, 1));
        return result;
    }
}
