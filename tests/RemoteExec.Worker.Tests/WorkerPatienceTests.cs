using NUnit.Framework;
using RemoteExec.Protocol.V1;
using static RemoteExec.Worker.Tests.CoordinatorStreamExtensions;

namespace RemoteExec.Worker.Tests;

/// <summary>A coordinator that is there and does nothing, in a time that the test moves.</summary>
public sealed class WorkerPatienceTests : WorkerLoopFixture
{
    private readonly ManualTime _time = new();

    private protected override TimeProvider Time => _time;

    [Test]
    public async Task A_coordinator_that_does_not_say_welcome_is_asked_again_on_another_stream()
    {
        var silent = await Coordinator.NextStreamAsync();
        Assert.That(await silent.MoveNext(CancellationToken.None));
        Assert.That(silent.Current.Hello, Is.Not.Null);

        await LeaveAsync(await NextWelcomedAsync());
    }

    [Test]
    public async Task A_stream_that_takes_nothing_is_given_up_for_another()
    {
        var (stuck, _) = await Coordinator.WelcomeAsync();
        // Each is answered, and nobody reads the answers.
        for (int i = 0; i < 2000; i++) await stuck.CancelAsync(Id($"e{i}"));

        await LeaveAsync(await NextWelcomedAsync());
    }

    /// <summary>
    /// Lets time go on until the worker has connected again, and no further: it would lose patience with this stream too.
    /// </summary>
    private async Task<InMemoryCoordinatorStream> NextWelcomedAsync()
    {
        using var soon = new CancellationTokenSource(TimeSpan.FromMinutes(1)); // a hang becomes a failure
        while (!Coordinator.HasNextStream)
        {
            soon.Token.ThrowIfCancellationRequested();
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }

        return (await Coordinator.WelcomeAsync()).Stream;
    }
}
