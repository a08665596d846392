using System.Net;
using System.Net.Sockets;
using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>What an operator reads when the server will not start: one sentence with the remedy, and an exit code.</summary>
public sealed class RefusalTests
{
    private const int Usage = 2, Unavailable = 5;

    private static readonly TimeSpan RefuseWithin = TimeSpan.FromSeconds(30);

    [Test]
    public async Task An_unknown_flag_is_refused_with_the_nearest_known_one()
    {
        var (exitCode, output) = await StartAsync("--slotz", "2");

        Assert.That((exitCode, output.Contains("--slots", StringComparison.Ordinal)), Is.EqualTo((Usage, true)), () => output);
    }

    [Test]
    public async Task An_unknown_setting_in_the_environment_is_refused_with_the_nearest_known_one()
    {
        var (exitCode, output) = await StartAsync([], ("REMOTEEXEC__SLOTZ", "2"));

        Assert.That((exitCode, output.Contains("SLOTS", StringComparison.OrdinalIgnoreCase)), Is.EqualTo((Usage, true)), () => output);
    }

    [Test]
    public async Task A_size_that_is_not_one_is_refused_by_name()
    {
        var (exitCode, output) = await StartAsync("--max-cas-size", "plenty");

        Assert.That((exitCode, output.Contains("plenty", StringComparison.Ordinal)), Is.EqualTo((Usage, true)), () => output);
    }

    [Test]
    public async Task A_busy_port_is_named()
    {
        using var occupant = new TcpListener(IPAddress.Loopback, FreePort.Next());
        occupant.Start();
        string address = occupant.LocalEndpoint.ToString()!;

        var (exitCode, output) = await StartAsync("--grpc", address);

        Assert.Multiple(() =>
        {
            Assert.That(exitCode, Is.EqualTo(Unavailable), () => output);
            Assert.That(output.Contains(address, StringComparison.Ordinal), () => output);
            Assert.That(output.Contains("   at ", StringComparison.Ordinal), Is.False, () => output);
        });
    }

    [Test]
    public async Task A_second_server_on_the_same_data_is_refused_and_the_first_goes_on()
    {
        string data = Lab.NewFolder("server");
        await using var first = await ServerProcess.StartAsync(data);

        var (exitCode, output) = await StartAsync("--data-dir", data);

        Assert.Multiple(() =>
        {
            Assert.That(exitCode, Is.EqualTo(Unavailable), () => output);
            Assert.That(output.Contains(data, StringComparison.Ordinal), () => output);
        });
        await first.StopAsync();
    }

    [Test]
    public async Task A_data_directory_that_cannot_be_written_is_named()
    {
        var (exitCode, output) = await StartAsync("--data-dir", "/proc/rexec");

        Assert.Multiple(() =>
        {
            Assert.That(exitCode, Is.AnyOf(Usage, Unavailable), () => output);
            Assert.That(output.Contains("/proc/rexec", StringComparison.Ordinal), () => output);
            Assert.That(output.Contains("   at ", StringComparison.Ordinal), Is.False, () => output);
        });
    }

    private static Task<(int ExitCode, string Output)> StartAsync(params string[] flags) => StartAsync(flags, []);

    // Ports and data of its own, unless the test is about them.
    private static async Task<(int ExitCode, string Output)> StartAsync(
        string[] flags, params (string Name, string Value)[] environment)
    {
        string[] all =
        [
            .. Unless("--grpc", $"127.0.0.1:{FreePort.Next()}"),
            .. Unless("--http", $"127.0.0.1:{FreePort.Next()}"),
            .. Unless("--data-dir", Lab.NewFolder("server")),
            .. flags,
        ];
        var variables = environment.Append(BuiltPrograms.Runtime).ToDictionary(pair => pair.Name, pair => (string?)pair.Value);
        await using var server = ChildProcess.Start(BuiltPrograms.Server, all, "/", variables);
        return (await server.Exited.WaitAsync(RefuseWithin), server.Output.ToString());

        string[] Unless(string flag, string value) => flags.Contains(flag) ? [] : [flag, value];
    }
}
