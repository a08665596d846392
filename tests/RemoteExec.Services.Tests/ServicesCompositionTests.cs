using NUnit.Framework;

namespace RemoteExec.Services.Tests;

internal sealed class ServicesCompositionTests : ServicesFixture
{
    [Test] // it is 15 MB when it is full
    public void All_services_share_one_memory_of_complete_trees() =>
        Assert.That(ObjectGraph.Of(Services).OfType<CompleteTreeMemory>().Count(), Is.EqualTo(1));
}
