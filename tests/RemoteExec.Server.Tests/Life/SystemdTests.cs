using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Grpc.Core;
using Grpc.Health.V1;
using static Grpc.Health.V1.HealthCheckResponse.Types;

namespace RemoteExec.Server.Tests;

/// <summary>The server as a service of systemd: its ports are opened and held by somebody else.</summary>
public sealed partial class SystemdTests
{
    private const int SIGKILL = 9;
    private const int SIGTERM = 15;

    // What systemd does: hold the sockets open, start the server with them, and start it again. LISTEN_PID is the server's own. The
    // script itself is on standard error before what it says.
    private const string Manager = """
        gate=$1; shift
        sh -c 'LISTEN_PID=$$ exec "$@"' sh "$@"
        printf 'the server is %s\n' away >&2
        read -r word < "$gate"
        exec sh -c 'LISTEN_PID=$$ exec "$@"' sh "$@"
        """;

    private static readonly TimeSpan Within = TimeSpan.FromSeconds(60);

    private readonly IPEndPoint _grpc = new(IPAddress.Loopback, FreePort.Next());
    private readonly IPEndPoint _http = new(IPAddress.Loopback, FreePort.Next());

    [TestCase(SIGKILL)]
    [TestCase(SIGTERM)]
    public async Task While_the_server_restarts_a_connection_waits_and_none_is_refused(int signal)
    {
        using var folder = new TemporaryFolder();
        string gate = folder.Combine("gate");
        using (var made = Process.Start("mkfifo", [gate])) await made.WaitForExitAsync();
        await using var server = ServerProgram.StartUnder(
            [.. Activate("grpc:http"), "sh", "-c", Manager, "sh", gate], ["--data-dir", folder.Combine("data")]);
        await server.SaysAsync($"Listening on {_http}");
        using (var client = new RemoteClient(new Uri($"http://{_grpc}")))
            Assert.That((await client.Health.CheckAsync(new HealthCheckRequest(), new CallOptions())).Status, Is.EqualTo(ServingStatus.Serving));

        Send(signal, ProcessIn(server.Error));
        await server.SaysAsync("the server is away");
        // Now nobody is there who could answer.
        using var waiting = new RemoteClient(new Uri($"http://{_grpc}"));
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(_grpc).WaitAsync(Within);
        using var http = new HttpClient { BaseAddress = new Uri($"http://{_http}") };
        var call = waiting.Health.CheckAsync(new HealthCheckRequest(), new CallOptions()).ResponseAsync;
        var page = http.GetAsync(new Uri("/readyz", UriKind.Relative));
        await File.WriteAllTextAsync(gate, "go\n");

        // Its ports open a moment before it says that it is ready: it is the answer that counts.
        Assert.That((await call.WaitAsync(Within)).Status, Is.AnyOf(ServingStatus.Serving, ServingStatus.NotServing));
        Assert.That((await page.WaitAsync(Within)).StatusCode, Is.AnyOf(HttpStatusCode.OK, HttpStatusCode.ServiceUnavailable));
        Assert.That(server.Output, Does.Contain($"grpc://{_grpc}").And.Contain($"http://{_http}"), "the welcome names the sockets' addresses");
        server.Terminate();
        Assert.That(await server.ExitedAsync(), Is.Zero, () => server.Error);
    }

    [Test]
    public async Task A_socket_of_a_strange_name_is_refused_with_the_names_that_there_are()
    {
        using var folder = new TemporaryFolder();
        await using var server = ServerProgram.StartUnder(Activate("grpc:web"), ["--data-dir", folder.Combine("data")]);
        await server.SaysAsync($"Listening on {_http}");
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(_grpc).WaitAsync(Within);

        Assert.That(await server.ExitedAsync(), Is.EqualTo(5), () => server.Error);
        Assert.That(server.Error, Does.Contain("rexec-server: ").And.Contains("'web'").And.Contains("FileDescriptorName=grpc or http"));
    }

    [Test]
    public async Task The_unit_files_hold_nothing_that_systemd_does_not_know()
    {
        using var folder = new TemporaryFolder();
        string units = Path.Combine(Repository(), "eng/systemd");
        var copies = new List<string>();
        foreach (string unit in Directory.EnumerateFiles(units))
        {
            // It looks whether the program is there, which nobody has installed here.
            string text = InstalledProgram().Replace(await File.ReadAllTextAsync(unit), ServerProgram.Path);
            copies.Add(folder.Write(Path.GetFileName(unit), text));
        }

        using var analysis = Process.Start(new ProcessStartInfo("systemd-analyze", ["verify", .. copies]) { RedirectStandardError = true })!;
        string complaints = await analysis.StandardError.ReadToEndAsync();
        await analysis.WaitForExitAsync();

        Assert.That((analysis.ExitCode, complaints), Is.EqualTo((0, "")));
        Assert.That(copies.Select(Path.GetFileName), Is.SupersetOf(["rexec-server.service", "rexec-server.socket", "rexec-worker.service"]));
    }

    // The filter of RestrictSUIDSGID=, which DynamicUser= brings along, cannot look into openat2's arguments and so answers ENOSYS
    // (systemd.exec(5)): no sandbox can be built there, and nothing but a real systemd shows it.
    [Test]
    public void The_unit_files_leave_openat2_to_the_launcher()
    {
        string[] lines = [.. Directory.EnumerateFiles(Path.Combine(Repository(), "eng/systemd"), "*.service").SelectMany(File.ReadLines)];

        Assert.That(lines, Has.Some.EqualTo("Delegate=yes"));
        Assert.That(lines, Has.None.Matches("^(DynamicUser|RestrictSUIDSGID)="));
    }

    private string[] Activate(string names) => ["systemd-socket-activate", "-l", $"{_grpc}", "-l", $"{_http}", $"--fdname={names}"];

    private static string Repository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "RemoteExec.sln")))
            folder = folder.Parent ?? throw new InvalidOperationException("run the test where it was built");
        return folder.FullName;
    }

    private static int ProcessIn(string log) => int.Parse(ReadyProcess().Match(log).Groups[1].ValueSpan);

    private static void Send(int signal, int process)
    {
        if (Kill(process, signal) != 0)
            throw new InvalidOperationException($"kill({process}, {signal}): {Marshal.GetLastPInvokeErrorMessage()}");
    }

    [GeneratedRegex("(?<=ExecStart=)/opt/rexec/[a-z-]+")]
    private static partial Regex InstalledProgram();

    [GeneratedRegex("ready, process ([0-9]+)")]
    private static partial Regex ReadyProcess();

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);
}
