using System.Buffers.Binary;
using System.Diagnostics;
using System.Net.Sockets;
using NUnit.Framework;
using RemoteExec.Worker.Sandbox;
using static RemoteExec.Worker.Sandbox.SandboxWire;

namespace RemoteExec.Worker.Tests.Sandbox;

/// <summary>A peer that speaks raw frames to the launcher, right and wrong ones.</summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class SandboxWireTests
{
    private string _inputRoot = "";

    [SetUp]
    public void MakeInputRoot()
    {
        _inputRoot = Directory.CreateTempSubdirectory("sandbox-wire-").FullName;
        File.SetUnixFileMode(_inputRoot, (UnixFileMode)0b111_111_111);
    }

    [TearDown]
    public void RemoveInputRoot() => Directory.Delete(_inputRoot, recursive: true);

    private SandboxSpec Spec => new()
    {
        Arguments = ["/bin/true"],
        Environment = [new("PATH", "/bin")],
        InputRootPath = _inputRoot,
        Walls = Environment.IsPrivilegedProcess ? SandboxWalls.All : SandboxWalls.All & ~SandboxWalls.Limits,
        Limits = new SandboxLimits { Timeout = TimeSpan.FromMinutes(1) },
    };

    [Test]
    public void A_run_frame_has_the_documented_layout()
    {
        var spec = new SandboxSpec
        {
            Arguments = ["a"],
            Environment = [new("b", "c")],
            InputRootPath = "/r",
            WorkingDirectory = "w",
            HostName = "h",
            Walls = SandboxWalls.All,
            Limits = new SandboxLimits
            {
                CpuMillicores = 1, MemoryBytes = 2, ProcessesMax = 3, OpenFilesMax = 4, ScratchBytes = 5,
                StdoutBytesMax = 6, StderrBytesMax = 7, Timeout = TimeSpan.FromMicroseconds(8),
            },
        };
        byte[] expected =
        [
            94, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, // payload bytes, RUN, id
            255, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, // walls, millicores, memory
            3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, // processes, open files, scratch
            6, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, // stdout, stderr, timeout
            2, 0, 0, 0, (byte)'/', (byte)'r', 0, 1, 0, 0, 0, (byte)'w', 0, 1, 0, 0, 0, (byte)'h', 0,
            1, 0, 0, 0, 1, 0, 0, 0, (byte)'a', 0, // one argument
            1, 0, 0, 0, 3, 0, 0, 0, (byte)'b', (byte)'=', (byte)'c', 0, // one variable
        ];
        expected[0] = (byte)(expected.Length - HeaderBytes);
        Assert.That(Run(9, spec, out _)!.WrittenSpan.ToArray(), Is.EqualTo(expected));
    }

    [Test]
    public async Task Any_cut_of_a_spec_is_refused_and_the_next_one_runs()
    {
        using var peer = await RawPeer.StartAsync();
        byte[] whole = Run(1, Spec, out _)!.WrittenSpan[HeaderBytes..].ToArray();
        for (int bytes = 0; bytes < whole.Length; bytes++)
            Assert.That(await peer.RunAsync(1, whole.AsMemory(0, bytes)), Is.EqualTo(SandboxOutcome.SpecInvalid), $"cut at {bytes}");
        Assert.That(await peer.RunAsync(2, whole), Is.EqualTo(SandboxOutcome.Exited));
    }

    [Test]
    public async Task Random_changes_of_a_spec_never_end_the_launcher()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        TestContext.Out.WriteLine($"seed {seed}");
        using var peer = await RawPeer.StartAsync();
        byte[] whole = Run(1, Spec, out _)!.WrittenSpan[HeaderBytes..].ToArray();
        for (ulong id = 1; id <= 500; id++)
        {
            byte[] changed = [.. whole];
            for (int i = random.Next(1, 4); i > 0; i--) changed[random.Next(changed.Length)] = (byte)random.Next(256);
            // A short life for whatever still runs; not zero, which is none.
            BinaryPrimitives.WriteUInt64LittleEndian(changed.AsSpan(48), 1_000_000);
            var outcome = await peer.RunAsync(id, changed);
            Assert.That(Enum.IsDefined(outcome), $"seed {seed}, id {id}: {outcome}");
        }

        Assert.That(await peer.RunAsync(1000, whole), Is.EqualTo(SandboxOutcome.Exited), $"seed {seed}");
    }

    [TestCase(new byte[] { 0, 0, 0, 255, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 }, TestName = "A_frame_that_announces_too_much_ends_the_launcher")]
    [TestCase(new byte[] { 0, 0, 0, 0, 77, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 }, TestName = "A_frame_of_no_known_type_ends_the_launcher")]
    [TestCase(new byte[] { 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 }, TestName = "A_kill_with_a_payload_ends_the_launcher")]
    public async Task What_is_no_frame_ends_the_launcher_in_order(byte[] frame)
    {
        using var peer = await RawPeer.StartAsync();
        await peer.SendAsync(frame);
        Assert.That(await peer.ExitCodeAsync(), Is.Zero);
    }

    [Test]
    public async Task A_kill_for_nobody_is_no_error()
    {
        using var peer = await RawPeer.StartAsync();
        await peer.SendAsync(Kill(12345));
        Assert.That(await peer.RunAsync(1, Run(1, Spec, out _)!.WrittenMemory[HeaderBytes..]), Is.EqualTo(SandboxOutcome.Exited));
    }

    [Test]
    public async Task A_worker_that_reads_nothing_holds_up_output_but_loses_none()
    {
        var spec = Spec with { Arguments = ["/usr/bin/head", "-c", "3000000", "/dev/zero"] };
        using var peer = await RawPeer.StartAsync();
        await peer.SendAsync(Run(1, spec, out _)!.WrittenMemory);
        await peer.SendAsync(Run(2, spec, out _)!.WrittenMemory);
        // Both write far more than the socket and the pipes hold; only now does anybody read.
        long bytes = 0;
        for (int ended = 0; ended < 2;)
        {
            var (header, payload) = await peer.ReceiveAsync();
            if (header.Type == FrameType.Stdout) bytes += header.PayloadBytes;
            if (header.Type != FrameType.Exit) continue;
            Assert.That(SandboxWire.Exit(payload).Outcome, Is.EqualTo(SandboxOutcome.Exited));
            ended++;
        }

        Assert.That(bytes, Is.EqualTo(6_000_000));
    }

    /// <summary>Starts a launcher and talks to it in bytes.</summary>
    private sealed class RawPeer : IDisposable
    {
        private readonly Process _process;
        private readonly Socket _socket;
        private readonly byte[] _header = new byte[HeaderBytes];

        private RawPeer(Process process, Socket socket)
        {
            _process = process;
            _socket = socket;
        }

        public static async Task<RawPeer> StartAsync()
        {
            var directory = Directory.CreateTempSubdirectory("sandbox-peer-");
            string path = Path.Combine(directory.FullName, "launcher");
            using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            listener.Bind(new UnixDomainSocketEndPoint(path));
            listener.Listen(1);
            // The same tests run against an instrumented build: see sandbox-native/README.md.
            string launcher = Environment.GetEnvironmentVariable("REXEC_SANDBOX_UNDER_TEST") ?? new SandboxLauncherOptions().LauncherPath;
            var start = SandboxLauncher.StartInfo(new SandboxLauncherOptions { LauncherPath = launcher }, "--connect", path);
            start.RedirectStandardError = true; // what it says about our frames is expected
            var process = Process.Start(start)!;
            process.BeginErrorReadLine();
            var peer = new RawPeer(process, await listener.AcceptAsync());
            directory.Delete(recursive: true);
            Assert.That((await peer.ReceiveAsync()).Header.Type, Is.EqualTo(FrameType.Hello));
            return peer;
        }

        public async Task SendAsync(ReadOnlyMemory<byte> bytes)
        {
            while (!bytes.IsEmpty) bytes = bytes[await _socket.SendAsync(bytes)..];
        }

        public async Task<SandboxOutcome> RunAsync(ulong id, ReadOnlyMemory<byte> payload)
        {
            byte[] header = new byte[HeaderBytes];
            BinaryPrimitives.WriteInt32LittleEndian(header, payload.Length);
            BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(4), (uint)FrameType.Run);
            BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(8), id);
            await SendAsync(header);
            await SendAsync(payload);
            while (true)
            {
                var (reply, bytes) = await ReceiveAsync();
                Assert.That(reply.Id, Is.EqualTo(id));
                if (reply.Type == FrameType.Exit) return SandboxWire.Exit(bytes).Outcome;
            }
        }

        public async Task<(Header Header, byte[] Payload)> ReceiveAsync()
        {
            await FillAsync(_header);
            Assert.That(TryReadHeader(_header, out var header));
            byte[] payload = new byte[header.PayloadBytes];
            await FillAsync(payload);
            return (header, payload);
        }

        public async Task<int> ExitCodeAsync()
        {
            await _process.WaitForExitAsync();
            return _process.ExitCode;
        }

        public void Dispose()
        {
            _socket.Dispose();
            _process.WaitForExit();
            _process.Dispose();
        }

        private async Task FillAsync(Memory<byte> bytes)
        {
            while (!bytes.IsEmpty)
            {
                int count = await _socket.ReceiveAsync(bytes);
                if (count == 0) throw new EndOfStreamException("the launcher ended");
                bytes = bytes[count..];
            }
        }
    }
}
