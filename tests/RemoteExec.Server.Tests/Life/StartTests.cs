using System.Net;
using System.Net.Sockets;

namespace RemoteExec.Server.Tests;

/// <summary>Starts that cannot go on: one sentence with the remedy on standard error, exit code 2 or 5, nothing else.</summary>
public sealed class StartTests
{
    private const int Done = 0, Usage = 2, Unavailable = 5;

    private readonly TemporaryFolder _folder = new();

    [OneTimeTearDown]
    public void RemoveFolder() => _folder.Dispose();

    [TestCase("--grpc")]
    [TestCase("--http")]
    public async Task A_busy_port_is_named_with_its_option(string option)
    {
        using var occupant = new TcpListener(IPAddress.Loopback, 0);
        occupant.Start();

        var (exitCode, output, error) = await ServerProgram.RunAsync("--data-dir", NewData(), option, occupant.LocalEndpoint.ToString()!);

        ShouldBeOneSentence(exitCode, Unavailable, output, error, occupant.LocalEndpoint.ToString()!, option);
    }

    [Test]
    public async Task A_name_that_is_not_of_this_machine_is_refused()
    {
        // RFC 5737: an address for documentation, nobody's interface.
        var (exitCode, output, error) = await ServerProgram.RunAsync("--data-dir", NewData(), "--grpc", "192.0.2.1:0");

        ShouldBeOneSentence(exitCode, Unavailable, output, error, "192.0.2.1", "--grpc");
    }

    [TestCase("size=64k", "is full", TestName = "A_disk_without_free_bytes_is_said_to_be_full")]
    [TestCase("nr_inodes=6", "is full", TestName = "A_disk_without_free_inodes_is_said_to_be_full")]
    [TestCase("ro", "ead-only", TestName = "A_read_only_disk_is_said_to_be_read_only")]
    public async Task A_disk_that_takes_nothing_is_named(string mountOptions, string says)
    {
        string data = NewData();
        Directory.CreateDirectory(data);
        // In a mount namespace of its own, which ends with the process. What fits is filled; a read-only disk takes nothing anyway.
        const string Script = """
            mount -t tmpfs -o "$1" tmpfs "$2" || exit 99
            dd if=/dev/zero of="$2/.filler" bs=4096 count=1024 2>/dev/null
            shift 2
            exec "$@"
            """;

        await using var server = ServerProgram.StartUnder(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", Script, "sh", mountOptions, data], ["--data-dir", data]);

        ShouldBeOneSentence(await server.ExitedAsync(), Unavailable, server.Output, server.Error, data, says);
    }

    [Test]
    public async Task A_data_directory_that_is_a_file_is_refused_and_kept()
    {
        string file = _folder.Combine("file");
        await File.WriteAllTextAsync(file, "precious");

        var (exitCode, output, error) = await ServerProgram.RunAsync("--data-dir", file);

        ShouldBeOneSentence(exitCode, Unavailable, output, error, file, "--data-dir");
        Assert.That(await File.ReadAllTextAsync(file), Is.EqualTo("precious"));
    }

    [TestCase("absent", null)]
    [TestCase("no certificate", "PEM")]
    public async Task Authorities_that_cannot_be_read_are_refused(string content, string? says)
    {
        string file = _folder.Combine("authorities.pem");
        if (says is not null) await File.WriteAllTextAsync(file, content);

        var (exitCode, output, error) = await ServerProgram.RunAsync("--data-dir", NewData(), "--fetch-ca", file);

        ShouldBeOneSentence(exitCode, Unavailable, output, error, "--fetch-ca", file, says ?? "");
    }

    [Test]
    public async Task A_kernel_without_user_namespaces_is_refused_where_the_sandbox_is_required()
    {
        // The limit is one of each user namespace: ours forbids further ones inside it.
        const string Script = """echo 0 > /proc/sys/user/max_user_namespaces || exit 99; exec "$@" """;

        await using var server = ServerProgram.StartUnder(
            ["unshare", "--user", "--map-root-user", "sh", "-c", Script, "sh"], ["--data-dir", NewData(), "--sandbox", "required"]);

        ShouldBeOneSentence(await server.ExitedAsync(), Unavailable, server.Output, server.Error, "sandbox", "--sandbox degrade");
    }

    [Test]
    public async Task Degraded_as_it_is_by_default_it_starts_there_and_says_which_walls_are_missing()
    {
        const string Script = """echo 0 > /proc/sys/user/max_user_namespaces || exit 99; exec "$@" """;
        await using var server = ServerProgram.StartUnder(
            ["unshare", "--user", "--map-root-user", "sh", "-c", Script, "sh"], ["--data-dir", NewData()]);

        await server.ReadyAsync();
        server.Terminate();

        Assert.That(await server.ExitedAsync(), Is.EqualTo(Done), () => server.Error);
        Assert.That(server.Output, Does.Contain("the sandbox is NOT complete: no user ("));
    }

    [Test]
    public async Task A_second_server_on_the_same_data_is_refused()
    {
        string data = NewData();
        await using var first = ServerProgram.Start("--data-dir", data);
        await first.ReadyAsync();

        var (exitCode, output, error) = await ServerProgram.RunAsync("--data-dir", data);

        ShouldBeOneSentence(exitCode, Unavailable, output, error, data, "server");
        first.Terminate();
        Assert.That(await first.ExitedAsync(), Is.EqualTo(Done), () => first.Error);
    }

    [TestCase("{ \"slots\": 2", "is not JSON")]
    [TestCase("{ \"slotz\": 2 }", "Did you mean 'slots'")]
    [TestCase("{ \"slots\": \"two\" }", "'two' is not a whole number")]
    public async Task A_configuration_file_that_is_wrong_is_refused_with_its_line(string content, string says)
    {
        string file = _folder.Combine($"{Guid.NewGuid():N}.json");
        await File.WriteAllTextAsync(file, content);

        var (exitCode, output, error) = await ServerProgram.RunAsync("--data-dir", NewData(), "--config", file);

        ShouldBeOneSentence(exitCode, Usage, output, error, file, says);
    }

    [Test]
    public async Task A_configuration_file_that_is_not_there_is_named()
    {
        string file = _folder.Combine("absent.json");

        var (exitCode, output, error) = await ServerProgram.RunAsync("--data-dir", NewData(), "--config", file);

        ShouldBeOneSentence(exitCode, Usage, output, error, file, "--config");
    }

    [Test]
    public async Task Help_is_an_answer_and_goes_to_standard_output()
    {
        var (exitCode, output, error) = await ServerProgram.RunAsync("--help");

        Assert.That((exitCode, error), Is.EqualTo((Done, "")));
        Assert.That(output, Does.Contain("--data-dir"));
    }

    private string NewData() => _folder.Combine($"data-{Guid.NewGuid():N}");

    private static void ShouldBeOneSentence(int exitCode, int expected, string output, string error, params string[] says)
    {
        Assert.Multiple(() =>
        {
            Assert.That(exitCode, Is.EqualTo(expected), () => error);
            Assert.That(output, Is.Empty);
            Assert.That(error.Split('\n', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(1), () => error);
            Assert.That(error, Does.StartWith("rexec-server: "));
            foreach (string word in says)
                Assert.That(error, Does.Contain(word));
        });
    }
}
