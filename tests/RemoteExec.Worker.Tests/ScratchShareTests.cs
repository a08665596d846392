using NUnit.Framework;

namespace RemoteExec.Worker.Tests;

public sealed class ScratchShareTests
{
    private const long Machine = 16L << 30;

    private static readonly WorkerOptions Plain = new() { DataDirectory = "/data", Slots = 4 };

    [Test]
    public void All_slots_together_fill_half_of_the_memory() =>
        Assert.That(ScratchShare.Of(Plain, Machine) * 2 * Plain.Slots, Is.EqualTo(Machine / 2));

    [Test]
    public void A_full_tmp_and_shm_leave_half_of_the_actions_own_limit() =>
        Assert.That(ScratchShare.Of(Plain with { ActionMemoryBytesMax = 1 << 30 }, Machine), Is.EqualTo(256 << 20));

    [Test]
    public void A_limit_beyond_the_machine_is_none() =>
        Assert.That(ScratchShare.Of(Plain with { ActionMemoryBytesMax = Machine * 2 }, Machine), Is.EqualTo(ScratchShare.Of(Plain, Machine)));

    [Test]
    public void What_is_said_is_taken() =>
        Assert.That(ScratchShare.Of(Plain with { ActionScratchBytesMax = 5 }, Machine), Is.EqualTo(5));

    [Test]
    public void Zero_says_nothing() =>
        Assert.That(ScratchShare.Of(Plain with { ActionScratchBytesMax = 0, ActionMemoryBytesMax = 0 }, Machine), Is.EqualTo(ScratchShare.Of(Plain, Machine)));

    [TestCase(256, 2L << 30, 0, ExpectedResult = 8 << 20, Description = "the whole share, where that is less")]
    [TestCase(64, 2L << 30, 0, ExpectedResult = 16 << 20)]
    [TestCase(1, 16L << 30, 1, ExpectedResult = 1, Description = "never 0, which would be no bound at all")]
    public long A_small_share_is_no_smaller_than_a_compiler_needs(int slots, long machineBytes, long limitBytes) =>
        ScratchShare.Of(Plain with { Slots = slots, ActionMemoryBytesMax = limitBytes }, machineBytes);
}
