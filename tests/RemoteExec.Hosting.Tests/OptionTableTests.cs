using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Hosting.Tests;

public sealed class OptionTableTests
{
    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("options-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void Without_any_source_the_defaults_hold()
    {
        var options = Take([]);

        Assert.That(options.Grpc, Is.EqualTo(new HostPort("127.0.0.1", 8980)));
        Assert.That(options.MaxCasSizeBytes, Is.EqualTo(10_000_000_000));
        Assert.That(options.DrainMax, Is.EqualTo(TimeSpan.FromSeconds(30)));
        Assert.That(options.Slots, Is.EqualTo(2));
        Assert.That(options.Roles, Is.EqualTo(new[] { Role.All }));
        Assert.That(options.Redis, Is.Empty);
        Assert.That(options.Properties, Is.Empty);
        Assert.That(options.TokenFile, Is.Null);
        Assert.That(options.Http, Is.EqualTo(new HostPort("::1", 8981)));
        Assert.That(options.Verbose, Is.False);
    }

    [Test]
    public void Both_spellings_of_a_flag_give_its_value()
    {
        var options = Take(["--max-cas-size", "2GiB", "--drain-max=100ms", "--verbose", "--http=[::1]:0"]);

        Assert.That(options.MaxCasSizeBytes, Is.EqualTo(2L << 30));
        Assert.That(options.DrainMax, Is.EqualTo(TimeSpan.FromMilliseconds(100)));
        Assert.That(options.Verbose, Is.True);
        Assert.That(options.Http, Is.EqualTo(new HostPort("::1", 0)));
    }

    [Test]
    public void Lists_are_separated_by_commas_or_repetition()
    {
        var options = Take(["--redis", "a:1,b:2", "--redis=c:3", "--roles", "worker,storage"]);

        Assert.That(options.Redis, Is.EqualTo(new HostPort[] { new("a", 1), new("b", 2), new("c", 3) }));
        Assert.That(options.Roles, Is.EqualTo(new[] { Role.Worker, Role.Storage }));
    }

    [Test]
    public void A_platform_property_keeps_its_commas()
    {
        var options = Take(["--property", "OSFamily=linux", "--property", "flags=a,b"]);

        Assert.That(options.Properties, Is.EqualTo(new PlatformProperty[] { new("OSFamily", "linux"), new("flags", "a,b") }));
    }

    [Test]
    public void The_last_of_two_values_on_the_command_line_wins() =>
        Assert.That(Take(["--slots", "3", "--slots", "4"]).Slots, Is.EqualTo(4));

    [Test]
    public void Flags_win_over_the_environment_and_the_environment_over_the_file()
    {
        string path = WriteFile("""{ "slots": 3, "MaxCasSize": "1GB", "drain-max": "1m" }""");
        var environment = new Dictionary<string, string> { ["REMOTEEXEC__MAX_CAS_SIZE"] = "2GB", ["REMOTEEXEC__DRAIN_MAX"] = "2m" };

        var options = Take(["--config", path, "--drain-max", "3m"], environment);

        Assert.That((options.Slots, options.MaxCasSizeBytes, options.DrainMax), Is.EqualTo((3, 2_000_000_000L, TimeSpan.FromMinutes(3))));
    }

    [Test]
    public void The_environment_may_name_the_file()
    {
        var environment = new Dictionary<string, string> { ["REMOTEEXEC__CONFIG"] = WriteFile("""{ "Slots": 7 }""") };

        Assert.That(Take([], environment).Slots, Is.EqualTo(7));
    }

    [Test]
    public void A_file_may_have_comments_lists_and_trailing_commas()
    {
        string path = WriteFile(
            """
            {
              "$schema": "https://example.com/schema.json", // for the editor
              "Redis": ["a:1", "b:2"],
              "Property": ["flags=a,b"],
              "Verbose": true,
            }
            """);

        var options = Take(["--config", path]);

        Assert.That(options.Redis, Has.Count.EqualTo(2));
        Assert.That(options.Properties, Is.EqualTo(new PlatformProperty[] { new("flags", "a,b") }));
        Assert.That(options.Verbose, Is.True);
    }

    [Test]
    public void Variables_with_another_prefix_are_not_ours() =>
        Assert.That(Take([], new Dictionary<string, string> { ["SLOTS"] = "9", ["REMOTEEXEC_SLOTS"] = "9" }).Slots, Is.EqualTo(2));

    [TestCase("--max-cas-sizes 1GB", "--max-cas-sizes: rexec-test has no such option. Did you mean '--max-cas-size'? See rexec-test --help")]
    [TestCase("--something-else", "--something-else: rexec-test has no such option. See rexec-test --help")]
    [TestCase("serve", "'serve': rexec-test takes options only, as --name VALUE; see rexec-test --help")]
    [TestCase("--max-cas-size 10parsecs", "--max-cas-size: '10parsecs' is not a size; write a number and a unit, such as 10GB or 10GiB")]
    [TestCase("--drain-max 30", "--drain-max: '30' is not a duration of no more than 3650d; write a number and a unit, such as 100ms, 30s or 5m")]
    [TestCase("--slots 0", "--slots: '0' is not a whole number from 1 to 64")]
    [TestCase("--slots -1", "--slots: '-1' is not a whole number from 1 to 64")]
    [TestCase("--slots", "--slots: its value is missing; write --slots N")]
    [TestCase("--slots --verbose", "--slots: its value is missing; write --slots N")]
    [TestCase("--grpc 8980", "--grpc: '8980' is not an address; write HOST:PORT, such as 127.0.0.1:8980 or [::1]:8980")]
    [TestCase("--roles all,cook", "--roles: 'cook' is not one of all, storage, worker")]
    [TestCase("--redis a:1,,b:2", "--redis: is empty, expected an address; write HOST:PORT, such as 127.0.0.1:8980 or [::1]:8980")]
    [TestCase("--verbose=perhaps", "--verbose: 'perhaps' is not true or false")]
    [TestCase("--property linux", "--property: 'linux' is not NAME=VALUE, such as OSFamily=linux")]
    [TestCase("--token-file=", "--token-file: its value is missing; write --token-file FILE")]
    [TestCase("[suggest]", "'[suggest]': rexec-test takes options only, as --name VALUE; see rexec-test --help")]
    [TestCase("@rexec.args", "'@rexec.args': rexec-test takes options only, as --name VALUE; see rexec-test --help")]
    public void A_slip_on_the_command_line_is_named_with_its_remedy(string line, string error) =>
        Assert.That(Errors(line.Split(' ')), Is.EqualTo(new[] { error }));

    [Test]
    public void An_unknown_variable_is_refused_with_the_nearest_one()
    {
        var environment = new Dictionary<string, string> { ["REMOTEEXEC__MAX_CAS_SIZ"] = "1GB" };

        Assert.That(Errors([], environment).Single(), Does.Contain("Did you mean 'REMOTEEXEC__MAX_CAS_SIZE'?"));
    }

    [TestCase("{\n\n\"MaxCasSiz\": \"1GB\" }", "line 3: 'MaxCasSiz': rexec-test has no such option. Did you mean 'max-cas-size'?")]
    [TestCase("{ \"slots\": 1,\n \"Slots\": 2 }", "line 2: 'Slots': is given twice; keep one")]
    [TestCase("{ \"slots\": [1, 2] }", "line 1: 'slots': takes one value, 2 are given")]
    [TestCase("{ \"slots\": { \"max\": 1 } }", "line 1: 'slots': is an object or null; write a text, or leave it out")]
    [TestCase("{ \"redis\": [null] }", "line 1: 'redis': is an object or null; write a list of texts, or leave it out")]
    [TestCase("{ \"slots\": 1.5 }", "line 1: 'slots': '1.5' is not a whole number")]
    [TestCase("{ \"config\": \"other.json\" }", "line 1: 'config': rexec-test has no such option.")]
    [TestCase("{ \"slots:max\": 1 }", "'slots': is an object or null")]
    [TestCase("[]", "is not a JSON object")]
    [TestCase("{\n\"slots\": }", "line 2: is not JSON")]
    [TestCase("{} {}", "line 1: is not JSON")]
    [TestCase("", "line 1: is not JSON")]
    public void A_slip_in_the_file_is_named_with_its_line(string json, string error) =>
        Assert.That(Errors(["--config", WriteFile(json)]).Single(), Does.Contain(error));

    [Test]
    public void A_file_that_is_not_there_is_an_error() =>
        Assert.That(Errors(["--config", Path.Combine(_folder, "absent.json")]).Single(), Does.Contain("cannot be read"));

    [Test]
    public void Everything_that_is_wrong_is_reported_together()
    {
        string path = WriteFile("""{ "Slot": 1, "grpc": "nowhere" }""");
        var environment = new Dictionary<string, string> { ["REMOTEEXEC__DRAIN_MAX"] = "soon" };

        Assert.That(Errors(["--config", path, "--verbos", "--slots", "many"], environment), Has.Count.EqualTo(5));
    }

    [Test]
    public void A_rule_between_options_is_reported_like_the_others() =>
        Assert.That(
            Errors(["--max-cas-size", "1MB", "--max-blob-size", "2MB"]),
            Is.EqualTo(new[] { "--max-blob-size is above --max-cas-size; lower it or raise the other" }));

    [TestCase("--help")]
    [TestCase("-h")]
    public void Help_is_generated_from_the_table(string flag)
    {
        var outcome = TestOptions.Table.Read(["--slots", "many", flag], new Dictionary<string, string>());

        Assert.That(outcome.Options, Is.Null);
        Assert.That(outcome.Errors, Is.Empty);
        Assert.That(outcome.Answer, Does.StartWith("Options for tests.\n\nUsage: rexec-test [--OPTION VALUE]...\n"));
        Assert.That(outcome.Answer, Does.Match(@"\n  --max-cas-size SIZE +disk space for blobs \[10GB\]\n"));
        Assert.That(outcome.Answer, Does.Match(@"\n  --redis HOST:PORT\.\.\. +where Redis is\n"));
        Assert.That(outcome.Answer, Does.Match(@"\n  --roles all\|storage\|worker\.\.\.\s+what to do \[all\]\n"));
        Assert.That(outcome.Answer, Does.Match(@"\n  --config FILE +read options"));
        Assert.That(outcome.Answer, Does.Contain("REMOTEEXEC__GRPC"));
    }

    [Test]
    public void The_values_are_printed_with_where_each_came_from()
    {
        string path = WriteFile("{\n\"redis\": [\"a:1\", \"b:2\"],\n\"Property\": \"x=y,z\" }");
        var environment = new Dictionary<string, string> { ["REMOTEEXEC__MAX_CAS_SIZE"] = "2GB" };

        string printed = Answer(["--config", path, "--slots", "3", "--verbose", "--print-config"], environment);

        Assert.That(printed, Does.Contain("\"grpc\": \"127.0.0.1:8980\", // default"));
        Assert.That(printed, Does.Contain($"\"redis\": [\"a:1\",\"b:2\"], // {path} line 2"));
        Assert.That(printed, Does.Contain($"\"property\": [\"x=y,z\"], // {path} line 3"));
        Assert.That(printed, Does.Contain("\"max-cas-size\": \"2GB\", // environment variable REMOTEEXEC__MAX_CAS_SIZE"));
        Assert.That(printed, Does.Contain("\"slots\": \"3\", // command line"));
        Assert.That(printed, Does.Contain("\"verbose\": \"true\", // command line"));
        Assert.That(printed, Does.Contain("// \"token-file\": not set, // default"));
    }

    [Test]
    public void The_printed_values_are_a_file_that_gives_them_again()
    {
        string first = Answer(["--slots", "3", "--redis", "a:1,b:2", "--property", "x=y,z", "--verbose", "--print-config"]);

        string second = Answer(["--config", WriteFile(first), "--print-config"]);

        Assert.That(WithoutComments(second), Is.EqualTo(WithoutComments(first)));
        Assert.That(Take(["--config", WriteFile(first)]).Properties, Is.EqualTo(new PlatformProperty[] { new("x", "y,z") }));
    }

    [Test]
    public void What_is_wrong_is_said_before_anything_is_printed() =>
        Assert.That(Errors(["--slots", "many", "--print-config"]), Has.Count.EqualTo(1));

    [Test]
    public void A_list_can_be_emptied_by_a_stronger_source()
    {
        string path = WriteFile("""{ "redis": ["a:1"] }""");

        Assert.That(Take(["--config", path], new Dictionary<string, string> { ["REMOTEEXEC__REDIS"] = "" }).Redis, Is.Empty);
        Assert.That(Take(["--config", WriteFile("""{ "roles": [] }""")]).Roles, Is.Empty);
    }

    [TestCase("--help")]
    [TestCase("--version")]
    [TestCase("--print-config")]
    public void A_question_is_asked_on_the_command_line_only(string flag)
    {
        string name = flag[2..];
        var environment = new Dictionary<string, string> { ["REMOTEEXEC__" + name.ToUpperInvariant().Replace('-', '_')] = "true" };

        Assert.That(Errors([], environment), Has.One.Contains("has no such option"));
        Assert.That(Errors(["--config", WriteFile($$"""{ "{{name}}": true }""")]), Has.One.Contains("has no such option"));
    }

    private static string WithoutComments(string printed) => string.Join('\n', printed.Split('\n').Select(line => line.Split("//")[0]));

    private static string Answer(string[] arguments, Dictionary<string, string>? environment = null)
    {
        var outcome = TestOptions.Table.Read(arguments, environment ?? []);
        Assert.That(outcome.Errors, Is.Empty);
        return outcome.Answer ?? throw new AssertionException("it was not answered");
    }

    private static TestOptions Take(string[] arguments, Dictionary<string, string>? environment = null)
    {
        var outcome = TestOptions.Table.Read(arguments, environment ?? []);
        Assert.That(outcome.Errors, Is.Empty);
        return outcome.Options!;
    }

    private static IReadOnlyList<string> Errors(string[] arguments, Dictionary<string, string>? environment = null)
    {
        var outcome = TestOptions.Table.Read(arguments, environment ?? []);
        Assert.That(outcome.Options, Is.Null);
        return outcome.Errors;
    }

    private string WriteFile(string json)
    {
        string path = Path.Combine(_folder, "rexec.json");
        File.WriteAllText(path, json);
        return path;
    }

    private enum Role
    {
        All,
        Storage,
        Worker,
    }

    private sealed class TestOptions(OptionReader options)
    {
        public static OptionTable<TestOptions> Table { get; } =
            new("rexec-test", "Options for tests.", options => new TestOptions(options), Rules);

        public HostPort Grpc { get; } = options.HostPort("grpc", "127.0.0.1:8980", "where gRPC is served");

        public HostPort Http { get; } = options.HostPort("http", "[::1]:8981", "where HTTP is served");

        public long MaxCasSizeBytes { get; } = options.Size("max-cas-size", "10GB", "disk space for blobs");

        public long MaxBlobSizeBytes { get; } = options.Size("max-blob-size", "1MB", "largest blob");

        public TimeSpan DrainMax { get; } = options.Duration("drain-max", "30s", "how long to wait for actions");

        public int Slots { get; } = options.Count("slots", 2, "actions at once", min: 1, max: 64);

        public IReadOnlyList<Role> Roles { get; } = options.Choices<Role>("roles", "all", "what to do");

        public IReadOnlyList<HostPort> Redis { get; } = options.HostPorts("redis", null, "where Redis is");

        public IReadOnlyList<PlatformProperty> Properties { get; } = options.Properties("property", "what this worker offers");

        public string? TokenFile { get; } = options.OptionalText("token-file", "secret", "FILE");

        public bool Verbose { get; } = options.Flag("verbose", "say more");

        private static IEnumerable<string> Rules(TestOptions options)
        {
            if (options.MaxBlobSizeBytes > options.MaxCasSizeBytes)
                yield return "--max-blob-size is above --max-cas-size; lower it or raise the other";
        }
    }
}
