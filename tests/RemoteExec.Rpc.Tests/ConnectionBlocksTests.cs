using System.Buffers;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;

namespace RemoteExec.Rpc.Tests;

/// <summary>The memory of connections: whole blocks, used again, given back when they are not needed.</summary>
public sealed class ConnectionBlocksTests : EchoFixture
{
    private readonly ManualTime _time = new();

    [TestCase(-1)]
    [TestCase(0)]
    [TestCase(4096)]
    [TestCase(ConnectionBlocks.BlockBytes)]
    public void A_block_is_whole_whatever_is_asked_for(int bytes)
    {
        using var blocks = new ConnectionBlocks(_time);
        using var block = blocks.Rent(bytes);
        Assert.That(block.Memory.Length, Is.EqualTo(ConnectionBlocks.BlockBytes));
    }

    [Test]
    public void More_than_a_block_is_refused()
    {
        using var blocks = new ConnectionBlocks(_time);
        Assert.That(() => blocks.Rent(ConnectionBlocks.BlockBytes + 1), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void When_very_many_are_lent_the_next_ones_are_small_until_some_come_back()
    {
        using var blocks = new ConnectionBlocks(_time);
        var lent = Enumerable.Range(0, ConnectionBlocks.LentMax).Select(_ => blocks.Rent()).ToList();
        using (var small = blocks.Rent(ConnectionBlocks.SmallBytes)) Assert.That(small.Memory.Length, Is.EqualTo(ConnectionBlocks.SmallBytes));
        using (var needed = blocks.Rent(ConnectionBlocks.SmallBytes + 1)) Assert.That(needed.Memory.Length, Is.EqualTo(ConnectionBlocks.BlockBytes));

        lent[0].Dispose();
        using var again = blocks.Rent();
        Assert.That(again.Memory.Length, Is.EqualTo(ConnectionBlocks.BlockBytes));
        foreach (var block in lent) block.Dispose();
    }

    [Test]
    public void A_block_is_used_again_and_never_lent_twice()
    {
        using var blocks = new ConnectionBlocks(_time);
        var first = blocks.Rent();
        first.Memory.Span[0] = 42;
        first.Dispose();
        first.Dispose();
        Assert.That(blocks.KeptCount, Is.EqualTo(1));

        using var again = blocks.Rent();
        using var other = blocks.Rent();
        Assert.That(again.Memory.Span[0], Is.EqualTo(42));
        other.Memory.Span[0] = 7;
        Assert.That(again.Memory.Span[0], Is.EqualTo(42));
    }

    [Test]
    public void Who_has_given_a_block_back_has_it_no_longer()
    {
        using var blocks = new ConnectionBlocks(_time);
        var block = blocks.Rent();
        block.Dispose();
        Assert.That(() => block.Memory, Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void What_a_burst_leaves_is_given_up_and_what_is_in_use_again_and_again_stays()
    {
        using var blocks = new ConnectionBlocks(_time);
        RentAndReturn(blocks, 100);
        _time.Advance(ConnectionBlocks.KeptFor);
        RentAndReturn(blocks, 10);
        _time.Advance(ConnectionBlocks.KeptFor);
        Assert.That(blocks.KeptCount, Is.EqualTo(10));

        _time.Advance(ConnectionBlocks.KeptFor);
        Assert.That(blocks.KeptCount, Is.Zero);
    }

    [Test]
    public void After_the_end_nothing_is_kept()
    {
        var blocks = new ConnectionBlocks(_time);
        var late = blocks.Rent();
        RentAndReturn(blocks, 3);
        blocks.Dispose();
        late.Dispose();
        Assert.That(blocks.KeptCount, Is.Zero);
    }

    [Test]
    public async Task Many_threads_never_share_a_block()
    {
        using var blocks = new ConnectionBlocks(_time);
        var threads = Enumerable.Range(1, 4).Select(number => Task.Run(() =>
        {
            for (int i = 0; i < 20_000; i++)
            {
                using var block = blocks.Rent();
                var bytes = block.Memory.Span[..8];
                bytes.Fill((byte)number);
                if (bytes.ContainsAnyExcept((byte)number)) throw new InvalidOperationException("somebody else wrote into this block");
            }
        }));
        await Task.WhenAll(threads);
        Assert.That(blocks.KeptCount, Is.InRange(1, 4));
    }

    [Test]
    public async Task Connections_take_their_memory_here_and_a_message_of_many_blocks_arrives_whole()
    {
        var memory = (ConnectionMemory)Server.Services.GetRequiredService<IMemoryPoolFactory<byte>>();
        Assert.That(memory.LentMost, Is.Zero);
        Echo.Unary = (request, _) => Task.FromResult(request);
        string text = string.Concat(Enumerable.Range(0, 100_000).Select(i => $"{i} "));
        Assert.That(await Unary(text), Is.EqualTo(text));
        Assert.That(memory.LentMost, Is.Positive);
    }

    [Test]
    public void A_queue_that_ends_takes_nothing_from_the_others()
    {
        using var memory = new ConnectionMemory(_time);
        var (one, other) = (memory.Create(), memory.Create());
        one.Rent().Dispose();
        one.Dispose();
        using var block = other.Rent();
        Assert.That(block.Memory.Length, Is.EqualTo(ConnectionBlocks.BlockBytes));
    }

    private static void RentAndReturn(ConnectionBlocks blocks, int count)
    {
        var lent = Enumerable.Range(0, count).Select(_ => blocks.Rent()).ToList();
        foreach (var block in lent) block.Dispose();
    }
}
