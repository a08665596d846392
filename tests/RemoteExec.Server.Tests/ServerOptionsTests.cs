using System.Collections;
using Microsoft.Extensions.Logging;
using RemoteExec.Worker;

namespace RemoteExec.Server.Tests;

/// <summary>The option table: each flag that is promised is taken, and what cannot be is refused plainly.</summary>
public sealed class ServerOptionsTests
{
    [Test]
    public void Every_promised_flag_is_taken()
    {
        var options = Options.Of(
            "--roles", "coordinator,storage", "--grpc", "0.0.0.0:1", "--http", "[::1]:2", "--data-dir", "/tmp/data",
            "--max-cas-size", "10GB", "--slots", "3", "--retention", "90m", "--pool", "gpu", "--property", "a=b,c", "--property", "d=e",
            "--sandbox", "required", "--action-memory", "2GiB", "--action-scratch", "1MiB", "--drain-limit", "100ms", "--read-only-action-cache",
            "--s3-bucket", "blobs", "--s3-endpoint", "https://s3.example.com", "--s3-prefix", "farm/", "--s3-region", "eu-west-1", "--s3-path-style", "--s3-object-lifetime", "30d", "--s3-queue", "5000");

        Assert.Multiple(() =>
        {
            Assert.That(options.Roles, Is.EqualTo(new[] { ServerRole.Coordinator, ServerRole.Storage }));
            Assert.That((options.Grpc.ToString(), options.Http.ToString()), Is.EqualTo(("0.0.0.0:1", "[::1]:2")));
            Assert.That(options.DataDirectory, Is.EqualTo("/tmp/data"));
            Assert.That(options.MaxCasSize?.Bytes, Is.EqualTo(10_000_000_000));
            Assert.That(options.Slots, Is.EqualTo(3));
            Assert.That(options.Retention, Is.EqualTo(TimeSpan.FromMinutes(90)));
            Assert.That(options.Pool, Is.EqualTo("gpu"));
            Assert.That(options.Properties.Select(property => property.ToString()), Is.EqualTo(new[] { "a=b,c", "d=e" }));
            Assert.That(options.Sandbox, Is.EqualTo(SandboxMode.Required));
            Assert.That(options.ActionMemoryBytesMax, Is.EqualTo(2L << 30));
            Assert.That(options.ActionScratchBytesMax, Is.EqualTo(1 << 20));
            Assert.That(options.DrainMax, Is.EqualTo(TimeSpan.FromMilliseconds(100)));
            Assert.That(options.ReadOnlyActionCache);
            Assert.That((options.S3Bucket, options.S3Endpoint, options.S3Prefix, options.S3Region), Is.EqualTo(("blobs", "https://s3.example.com", "farm/", "eu-west-1")));
            Assert.That((options.S3PathStyle, options.S3ObjectLifetime, options.S3Queue), Is.EqualTo((true, TimeSpan.FromDays(30), 5000)));
        });
    }

    [Test]
    public void A_coordinator_needs_no_storage_of_its_own_where_others_keep_the_blobs()
    {
        var options = Options.Of("--roles", "coordinator", "--storage", "10.0.0.1:1,10.0.0.2:1", "--storage", "10.0.0.3:1", "--storage-mirrored");

        Assert.That(options.Storage.Select(address => address.ToString()), Is.EqualTo(new[] { "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1" }));
        Assert.That(options.StorageMirrored);
    }

    [Test]
    public void Without_flags_it_listens_on_loopback_only_and_plays_every_part()
    {
        var options = Options.Of();

        Assert.That((options.Grpc.ToString(), options.Http.ToString()), Is.EqualTo(("127.0.0.1:8980", "127.0.0.1:8981")));
        Assert.That(Enum.GetValues<ServerRole>().All(options.Plays));
    }

    [TestCase("--redis 127.0.0.1:6379", "--redis", Description = "not in this version, and it says so")]
    [TestCase("--roles coordinator", "--roles")]
    [TestCase("--storage 10.0.0.1:1,10.0.0.1:1", "twice")]
    [TestCase("--storage 10.0.0.1:1 --storage-mirrored", "needs two servers")]
    [TestCase("--storage 127.0.0.1:8980,10.0.0.1:1", "names this server itself")]
    [TestCase("--storage 10.0.0.1", "HOST:PORT")]
    [TestCase("--storage 10.0.0.1:1 --s3-bucket b", "--s3-bucket")]
    [TestCase("--s3-endpoint http://127.0.0.1:9000", "--s3-bucket")]
    [TestCase("--s3-bucket b --s3-endpoint 127.0.0.1:9000", "is not a URL")]
    [TestCase("--s3-bucket b --s3-object-lifetime 5h", "--s3-object-lifetime")]
    [TestCase("--roles worker,storage", "rexec-worker --coordinator")]
    [TestCase("--roles everything", "one of all, coordinator, storage, worker")]
    [TestCase("--slots 0", "from 1 to 4096")]
    [TestCase("--slots many", "from 1 to 4096")]
    [TestCase("--grpc 8980", "HOST:PORT")]
    [TestCase("--grpc 127.0.0.1:99999", "HOST:PORT")]
    [TestCase("--max-cas-size 10XB", "such as 10GB")]
    [TestCase("--max-cas-size 1MB", "is smaller than")]
    [TestCase("--max-cas-size 101%", "a share such as 50%")]
    [TestCase("--max-cas-size 0%", "a share such as 50%")]
    [TestCase("--drain-limit 31d", "a duration of no more than 30d", Description = "longer than a timer takes would be")]
    [TestCase("--action-timeout-max 60d", "a duration of no more than 30d")]
    [TestCase("--retention 9999999d", "a duration of no more than 3650d")]
    [TestCase("--retention soon", "such as 100ms, 30s or 5m")]
    [TestCase("--retention 0s", "shorter than 1m")]
    [TestCase("--retention 100000d", "than")]
    [TestCase("--log-stream-size-max 0", "--log-stream-size-max: is nothing")]
    [TestCase("--log-stream-size-max 2GiB --log-streams-size-max 4GiB", "more than 1GiB")]
    [TestCase("--log-stream-size-max 65MiB", "--log-streams-size-max")]
    [TestCase("--action-memory 1KB", "less than a shell needs")]
    [TestCase("--log-level loud", "one of trace, debug, info, warn, error, fatal, none")]
    [TestCase("--grpc grpcs://127.0.0.1:1", "HOST:PORT")]
    [TestCase("--sandbox no", "one of required, degrade, off")]
    [TestCase("--action-timeout 2h --action-timeout-max 1h", "--action-timeout-max")]
    [TestCase("--slot 3", "--slots", Description = "the nearest known flag")]
    [TestCase("--data-dri /tmp", "--data-dir")]
    [TestCase("--slots", "--slots")]
    [TestCase("nonsense", "nonsense")]
    public void What_cannot_be_is_refused_in_one_sentence_with_the_remedy(string arguments, string says)
    {
        var errors = Options.ErrorsOf(arguments.Split(' '));

        Assert.That(errors, Has.Some.Contains(says));
        Assert.That(errors, Has.All.Not.Contains('\n'));
    }

    [Test]
    public void Everything_that_is_wrong_is_said_at_once()
    {
        Assert.That(Options.ErrorsOf("--slots", "x", "--retention", "y", "--sandbx", "off"), Has.Count.EqualTo(3));
    }

    [Test]
    public void Every_flag_is_a_variable_too_and_the_flag_wins()
    {
        var environment = new Hashtable { ["REMOTEEXEC__SLOTS"] = "5", ["REMOTEEXEC__MAX_CAS_SIZE"] = "2GB" };

        var options = ServerOptions.Table.Read(["--slots", "6"], environment).Options;

        Assert.That((options?.Slots, options?.MaxCasSize?.Bytes), Is.EqualTo(((int?)6, (long?)2_000_000_000)));
    }

    [Test]
    public void An_unknown_variable_is_refused_with_the_nearest_known_one()
    {
        var outcome = ServerOptions.Table.Read([], new Hashtable { ["REMOTEEXEC__SLTOS"] = "5" });

        Assert.That(outcome.Errors, Has.One.Contains("REMOTEEXEC__SLOTS"));
    }

    [Test]
    public void Help_names_every_option_with_its_default()
    {
        string help = ServerOptions.Table.Read(["--help"], new Hashtable()).Answer ?? "";

        foreach (string promised in new[] { "--roles", "--grpc", "--http", "--data-dir", "--max-cas-size", "--slots", "--config", "[127.0.0.1:8980]" })
            Assert.That(help, Does.Contain(promised));
        Assert.That(help, Does.Not.Contain("--redis"), "which is refused always");
    }

    [Test]
    public void The_Options_page_has_every_option() => OptionsPage.ShouldHave(ServerOptions.Table.Page);

    [Test]
    public void Help_fits_a_terminal()
    {
        string help = ServerOptions.Table.Read(["--help"], new Hashtable()).Answer ?? "";

        // A default is this machine's: a long path is nobody's fault.
        Assert.That(help.Split('\n').Where(line => line.Length > 100 && !line.Contains("[/")), Is.Empty);
    }

    [TestCase("grpc://0.0.0.0:1", "0.0.0.0:1")]
    [TestCase("grpc://[::1]:1", "[::1]:1")]
    public void An_address_may_be_written_as_clients_write_it(string written, string address) =>
        Assert.That(Options.Of("--grpc", written).Grpc.ToString(), Is.EqualTo(address));

    [TestCase("warn", LogLevel.Warning)]
    [TestCase("warning", LogLevel.Warning)]
    [TestCase("info", LogLevel.Information)]
    [TestCase("information", LogLevel.Information)]
    [TestCase("fatal", LogLevel.Critical)]
    [TestCase("debug", LogLevel.Debug)]
    public void The_log_level_is_said_in_the_words_of_the_log(string word, LogLevel level) =>
        Assert.That(Options.Of("--log-level", word).LogLevel, Is.EqualTo(level));
}
