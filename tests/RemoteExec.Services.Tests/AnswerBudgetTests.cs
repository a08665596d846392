using Grpc.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Services.Tests;

/// <summary>A budget of 400 KiB, of which one connection has a quarter at most.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class AnswerBudgetTests
{
    private const long Share = 100 << 10;

    private readonly ManualTime _time = new();
    private readonly AnswerBudget _budget;

    public AnswerBudgetTests() => _budget = new AnswerBudget(4 * Share, _time);

    [Test]
    public async Task A_small_answer_holds_nothing_and_waits_for_nobody()
    {
        await FillAsync();

        Assert.That(await _budget.TakeAsync("late", AnswerBudget.SmallBytesMax, default), Is.Null);
        Assert.That(_budget.HeldBytes, Is.EqualTo(4 * Share));
    }

    [Test]
    public async Task Whose_a_small_answer_is_is_not_asked()
    {
        Assert.That(await _budget.TakeAsync(new NamelessCall(), AnswerBudget.SmallBytesMax), Is.Null);
        Assert.That(_budget.TryTake(new NamelessCall(), AnswerBudget.SmallBytesMax, out var held), Is.True);
        Assert.That(held, Is.Null);
    }

    [Test]
    public async Task A_connection_that_has_its_share_waits_and_holds_nobody_else_up()
    {
        var first = await _budget.TakeAsync("a", Share, default);
        var second = _budget.TakeAsync("a", Share, default).AsTask();
        await _budget.TakeAsync("b", Share, default);
        Assert.That((second.IsCompleted, _budget.HeldBytes), Is.EqualTo((false, 2 * Share)));

        first!.Dispose();
        await second;
        Assert.That(_budget.HeldBytes, Is.EqualTo(2 * Share));
    }

    [Test]
    public async Task Who_came_first_is_first_and_a_small_one_does_not_overtake_a_large_one()
    {
        var held = await FillAsync();
        var large = _budget.TakeAsync("large", Share, default).AsTask();
        var small = _budget.TakeAsync("small", Share / 2, default).AsTask();
        Assert.That((large.IsCompleted, small.IsCompleted), Is.EqualTo((false, false)));

        held[0].Dispose();
        await large;
        Assert.That(small.IsCompleted, Is.False);
        held[1].Dispose();
        await small;
        Assert.That(_budget.HeldBytes, Is.EqualTo(3 * Share + Share / 2));
    }

    [Test]
    public async Task Who_leaves_the_queue_makes_way_for_those_behind()
    {
        var held = await FillAsync();
        held[0].Dispose();
        await _budget.TakeAsync("small", Share / 4, default); // three quarters of a share are free
        using var leaving = new CancellationTokenSource();
        var large = _budget.TakeAsync("large", Share, leaving.Token).AsTask();
        var behind = _budget.TakeAsync("behind", Share / 4, default).AsTask();
        Assert.That(behind.IsCompleted, Is.False);

        await leaving.CancelAsync();
        await behind;
        Assert.That(async () => await large, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(_budget.HeldBytes, Is.EqualTo(3 * Share + Share / 2));
    }

    [Test]
    public async Task Who_waits_for_too_long_is_told_to_come_back_and_takes_nothing()
    {
        var held = await FillAsync();
        var late = _budget.TakeAsync("late", Share, default).AsTask();
        _time.Advance(AnswerBudget.WaitMax);

        var refusal = Assert.ThrowsAsync<RpcException>(() => late);
        Assert.That(refusal.StatusCode, Is.EqualTo(StatusCode.ResourceExhausted));
        Assert.That(refusal.ToStatus().Details.Single().Is(Google.Rpc.RetryInfo.Descriptor));
        foreach (var place in held) place.Dispose();
        Assert.That(_budget.HeldBytes, Is.Zero);
    }

    [Test]
    public async Task An_answer_larger_than_a_share_counts_as_one_and_is_given_back_once()
    {
        var place = await _budget.TakeAsync("a", 10 * Share, default);
        Assert.That(_budget.HeldBytes, Is.EqualTo(Share));

        place!.Dispose();
        place.Dispose();
        Assert.That(_budget.HeldBytes, Is.Zero);
    }

    private async Task<List<IDisposable>> FillAsync()
    {
        var held = new List<IDisposable>();
        foreach (string connection in new[] { "a", "b", "c", "d" })
            held.Add((await _budget.TakeAsync(connection, Share, default))!);
        return held;
    }
}
