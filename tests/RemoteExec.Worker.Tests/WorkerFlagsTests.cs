using System.Collections;
using NUnit.Framework;

namespace RemoteExec.Worker.Tests;

public sealed class WorkerFlagsTests
{
    [Test]
    public void Every_flag_reaches_the_worker()
    {
        var outcome = WorkerFlags.Table.Read(
            [
                "--coordinator", "a:1,b:2", "--slots", "3", "--prefetch", "1", "--data-dir", "/data", "--pool", "gpu",
                "--property", "gpu=a,b", "--property", "OSFamily=debian", "--sandbox", "degrade", "--action-memory", "2GiB", "--action-scratch", "1MiB",
                "--drain-limit", "7s", "--worker-id", "me", "--http", "127.0.0.1:9100",
            ],
            new Hashtable());

        Assert.That(outcome.Errors, Is.Empty);
        Assert.That(outcome.Options!.Coordinators.Select(coordinator => coordinator.ToString()), Is.EqualTo(["a:1", "b:2"]));
        Assert.That(outcome.Options.Http?.ToString(), Is.EqualTo("127.0.0.1:9100"));
        var options = outcome.Options.ToOptions();
        Assert.That((options.Slots, options.Prefetch, options.DataDirectory, options.Pool), Is.EqualTo((3, 1, "/data", "gpu")));
        Assert.That((options.Sandbox, options.ActionMemoryBytesMax), Is.EqualTo((SandboxMode.Degrade, (long?)2 << 30)));
        Assert.That(options.ActionScratchBytesMax, Is.EqualTo(1 << 20));
        Assert.That((options.DrainMax, options.WorkerId), Is.EqualTo((TimeSpan.FromSeconds(7), "me")));
        Assert.That(WorkerProperties.Offered(options).Select(property => property.ToString()),
            Is.SupersetOf(["gpu=a,b", "OSFamily=debian", "Pool=gpu"]).And.None.EqualTo("OSFamily=linux"));
    }

    [Test]
    public void Inputs_come_in_chunks_from_a_megabyte_on_and_what_is_left_of_them_takes_an_eighth_of_the_cache()
    {
        var flags = WorkerFlags.Table.Read(["--data-dir", "/data"], new Hashtable()).Options!; // they are right

        Assert.That(flags.ChunkedInputBytesMin, Is.EqualTo(1_000_000));
        Assert.That(WorkerCache.UnfinishedOptions("/data", flags.CacheSizeBytes).LimitBytes, Is.EqualTo(10_000_000_000 / 8));
        Assert.That(WorkerFlags.Table.Read(["--chunked-inputs-from", "0"], new Hashtable()).Options!.ChunkedInputBytesMin, Is.Zero);
    }

    [Test]
    public void The_Options_page_has_every_option() => OptionsPage.ShouldHave(WorkerFlags.Table.Page);

    [Test]
    public void A_coordinator_may_be_written_as_clients_write_it() =>
        Assert.That(WorkerFlags.Table.Read(["--coordinator", "grpc://a:1,b:2"], new Hashtable()).Options?.Coordinators.Select(each => each.ToString()),
            Is.EqualTo(new[] { "a:1", "b:2" }));

    [Test]
    public void A_worker_that_has_no_name_keeps_the_one_that_it_was_given_first()
    {
        using var folder = new TemporaryFolder();

        string first = WorkerName.Of(folder.Path);

        Assert.That(first, Does.StartWith(Environment.MachineName + "-"));
        Assert.That(WorkerName.Of(folder.Path), Is.EqualTo(first));
    }

    [TestCase("")]
    [TestCase("\0\0\0\0")]
    [TestCase("../x")]
    public void A_name_that_was_torn_is_made_anew_and_kept(string torn)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(Path.Combine(folder.Path, WorkerName.FileName), torn);

        string name = WorkerName.Of(folder.Path);

        Assert.That(name, Does.Match($"^{Environment.MachineName}-[0-9a-f]{{8}}$"));
        Assert.That(WorkerName.Of(folder.Path), Is.EqualTo(name));
    }

    [Test]
    public void Memory_in_which_nothing_can_live_is_refused() =>
        Assert.That(WorkerFlags.Table.Read(["--action-memory", "1KB"], new Hashtable()).Errors.Single(), Does.Contain("--action-memory"));

    [Test]
    public void A_worker_may_have_as_many_slots_as_a_coordinator_takes()
    {
        Assert.That(WorkerFlags.Table.Read(["--slots", "4096"], new Hashtable()).Options?.Slots, Is.EqualTo(4096));
        Assert.That(WorkerFlags.Table.Read(["--slots", "4097"], new Hashtable()).Errors.Single(), Does.Contain("from 1 to 4096"));
    }

    [Test]
    public void A_drain_is_not_longer_than_a_timer_takes() =>
        Assert.That(WorkerFlags.Table.Read(["--drain-limit", "60d"], new Hashtable()).Errors.Single(), Does.Contain("of no more than 30d"));

    [Test]
    public void An_unknown_flag_is_refused_with_the_nearest_known_one()
    {
        var outcome = WorkerFlags.Table.Read(["--slot", "2"], new Hashtable());

        Assert.That(outcome.Options, Is.Null);
        Assert.That(outcome.Errors.Single(), Does.Contain("--slots"));
    }

    [Test]
    public void A_cache_too_small_for_any_input_is_refused()
    {
        var outcome = WorkerFlags.Table.Read(["--cache-size", "10B"], new Hashtable());

        Assert.That(outcome.Errors.Single(), Does.Contain("--cache-size"));
    }

    [Test]
    public void A_plain_worker_offers_what_it_is()
    {
        var offered = WorkerProperties.Offered(new WorkerOptions { DataDirectory = "/data" });

        Assert.That(offered.Select(property => property.Name), Is.EqualTo(["ISA", "OSFamily", "Pool"]));
        Assert.That(offered.Single(property => property.Name == "OSFamily").Value, Is.EqualTo("linux"));
    }
}
