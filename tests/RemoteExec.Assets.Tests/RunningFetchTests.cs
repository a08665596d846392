using NUnit.Framework;

namespace RemoteExec.Assets.Tests;

public sealed class RunningFetchTests
{
    [Test]
    public void Whoever_asks_again_prolongs_a_fetch_but_nobody_beyond_the_longest()
    {
        var time = new ManualTime();
        var longest = TimeSpan.FromHours(1);
        using var fetch = new RunningFetch(time.GetUtcNow(), time);
        fetch.Extend(TimeSpan.FromMinutes(10), longest);
        for (int i = 0; i < 5; i++)
        {
            time.Advance(TimeSpan.FromMinutes(9));
            fetch.Extend(TimeSpan.FromMinutes(10), longest);
            Assert.That(fetch.Limit.IsCancellationRequested, Is.False);
        }

        fetch.Extend(longest, longest);
        time.Advance(TimeSpan.FromMinutes(15) - TimeSpan.FromSeconds(1));
        Assert.That(fetch.Limit.IsCancellationRequested, Is.False);
        time.Advance(TimeSpan.FromSeconds(1));

        Assert.That(fetch.Limit.IsCancellationRequested, Is.True);
    }
}
