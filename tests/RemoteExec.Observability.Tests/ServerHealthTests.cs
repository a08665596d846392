using NUnit.Framework;

namespace RemoteExec.Observability.Tests;

public sealed class ServerHealthTests
{
    [Test]
    public void A_server_is_ready_from_its_start_until_it_drains()
    {
        var health = new ServerHealth(TimeProvider.System);
        bool before = health.IsReady;
        health.Ready(() => null);
        bool between = health.IsReady;
        health.Draining();

        Assert.That((before, between, health.IsReady), Is.EqualTo((false, true, false)));
    }

    [Test]
    public void A_server_with_dangerous_settings_is_ready_and_says_what_is_dangerous()
    {
        var health = new ServerHealth(TimeProvider.System) { Warnings = ["anybody may come in"] };
        health.Ready(() => null);

        Assert.That((health.IsReady, health.Detail), Is.EqualTo((true, new[] { "ready", "warning: anybody may come in" })));
    }

    [Test]
    public void What_fails_later_ends_readiness_and_says_why()
    {
        string? fault = null;
        var health = new ServerHealth(TimeProvider.System);
        health.Ready(() => fault);

        fault = "the disk is on fire";

        Assert.That(health.IsReady, Is.False);
        Assert.That(health.Detail, Is.EqualTo(new[] { "the disk is on fire" }));
    }
}
