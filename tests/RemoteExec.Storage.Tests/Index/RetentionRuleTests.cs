using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

public sealed class RetentionRuleTests
{
    [Test]
    public void A_hit_promises_less_when_half_of_the_blobs_that_may_be_there_are_promised_however_small_they_are()
    {
        var index = new BlobIndex(limitBytes: 1 << 20, TimeSpan.FromHours(6), TimeSpan.FromMinutes(1)) { BlobsMax = 10 };
        var time = new ManualTime();
        for (int i = 0; i < 6; i++)
        {
            var digest = Blobs.DigestOf(Blobs.Of(i, 10));
            Assert.That(HitRetention(), Is.EqualTo(TimeSpan.FromHours(6)));
            index.Reserve(digest.SizeBytes, time.GetUtcNow(), _ => { });
            index.Add(digest, default, BlobFileKinds.Executable, digest.SizeBytes, time.GetUtcNow());
        }

        Assert.That(HitRetention(), Is.EqualTo(TimeSpan.FromHours(3)));
        time.Advance(TimeSpan.FromHours(6));
        Assert.That(HitRetention(), Is.EqualTo(TimeSpan.FromHours(6)), "those are not promised any more");

        TimeSpan HitRetention() => index.Usage(isSuspect: false, time.GetUtcNow()).HitRetention;
    }
}
