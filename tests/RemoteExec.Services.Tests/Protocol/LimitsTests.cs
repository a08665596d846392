using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Services.Tests.Protocol;

public sealed class LimitsTests
{
    [Test]
    public void What_a_coordinator_takes_arrives_at_its_workers_as_it_is()
    {
        var limits = new Limits
        {
            LiveOutputBytesMax = 1,
            LiveOutputPieceBytesMax = 2,
            InlineResultBytesMax = 3,
            ResultBytesMax = 4,
            SlotsMax = 14,
            ReportBytesMax = 15,
            ReconnectWaitMax = TimeSpan.FromSeconds(5),
            Tree = new TreeLimits
            {
                EntriesMax = 6, DepthMax = 7, PathBytesMax = 8, FileBytesMax = 9L << 32, DirectoryBytesMax = 10, TreeBytesMax = 11,
                DirectoriesMax = 12, DirectoriesBytesMax = 13L << 32,
            },
        };

        Assert.That(Limits.FromWire(limits.ToWire()), Is.EqualTo(limits));
    }

    [Test]
    public void What_a_coordinator_does_not_tell_is_as_by_default()
    {
        Assert.That(Limits.FromWire(null), Is.EqualTo(Limits.Default));
        Assert.That(Limits.FromWire(new CoordinatorLimits()), Is.EqualTo(Limits.Default));
    }

    [Test]
    public void A_number_that_no_limit_can_be_is_as_by_default()
    {
        var wire = new CoordinatorLimits { ResultBytesMax = -1, Tree = new CoordinatorLimits.Types.Tree { DepthMax = -1 } };

        Assert.That(Limits.FromWire(wire), Is.EqualTo(Limits.Default));
    }
}
