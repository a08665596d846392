using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Sockets;
using RemoteExec.Core;
using static RemoteExec.Worker.Sandbox.SandboxWire;

namespace RemoteExec.Worker.Sandbox;

/// <summary>
/// One running launcher process and the socket to it. It lives until either side ends: closing the socket makes the launcher
/// kill all trees and exit, and a launcher that dies, or that stops making sense, fails every action here as
/// <see cref="SandboxOutcome.LauncherLost"/>. An output that throws fails its own action only.
/// </summary>
internal sealed class LauncherConnection : IAsyncDisposable
{
    // A start takes some ten milliseconds, an end some more: it kills every tree first. Longer is a launcher that hangs.
    private static readonly TimeSpan StartMax = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan EndMax = TimeSpan.FromSeconds(30);

    // The launcher only ever moves descriptors about. One that takes no spec for so long will take none.
    private static readonly TimeSpan SendMax = TimeSpan.FromSeconds(30);

    private readonly Process _process;
    private readonly Socket _socket;
    private readonly Task _reading;
    private readonly SemaphoreSlim _sending = new(1);
    private readonly ConcurrentDictionary<ulong, Running> _running = new();
    private volatile string? _lostBecause;
    private ulong _lastId;

    private sealed record Running(ISandboxOutput Output)
    {
        public TaskCompletionSource<SandboxReport> Report { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Why nothing more is given to the output; touched by the reader alone.</summary>
        public string? OutputFailure { get; set; }
    }

    private LauncherConnection(Process process, Socket socket)
    {
        _process = process;
        _socket = socket;
        _reading = Task.Run(ReadAsync);
    }

    public bool IsLost => _lostBecause is not null;

    public int ProcessId => _process.Id;

    /// <summary>Starts the launcher, which connects back to a socket in a directory that only we can enter.</summary>
    public static async Task<LauncherConnection> StartAsync(SandboxLauncherOptions options, CancellationToken cancellationToken)
    {
        var directory = Directory.CreateTempSubdirectory("rexec-"); // mode 0700
        try
        {
            string path = Path.Combine(directory.FullName, "launcher");
            using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            listener.Bind(new UnixDomainSocketEndPoint(path));
            listener.Listen(backlog: 1);

            var process = Process.Start(SandboxLauncher.StartInfo(options, "--connect", path))!; // null only with UseShellExecute
            using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            late.CancelAfter(StartMax);
            Socket? socket = null;
            try
            {
                socket = await AcceptAsync(listener, process, late.Token);
                return new LauncherConnection(process, socket);
            }
            catch (Exception failure)
            {
                socket?.Dispose();
                process.Kill();
                process.Dispose();
                if (failure is OperationCanceledException && !cancellationToken.IsCancellationRequested)
                    throw new IOException($"the sandbox launcher did not connect within {StartMax.TotalSeconds:0} s");
                throw;
            }
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    public async ValueTask<SandboxReport> RunAsync(SandboxSpec spec, ISandboxOutput output, CancellationToken cancellationToken)
    {
        ulong id = Interlocked.Increment(ref _lastId);
        var frame = SandboxWire.Run(id, spec, out string? error);
        if (frame is null) return new SandboxReport { Outcome = SandboxOutcome.SpecInvalid, Detail = error! };

        var running = new Running(output);
        _running[id] = running;
        // The reader may have ended between our caller's look and the line above; then nobody else would answer.
        if (_lostBecause is { } lost) FailAll(lost);
        await SendAsync(frame.WrittenMemory);

        // Registered after the spec was sent, so that the kill cannot overtake it.
        await using (cancellationToken.UnsafeRegister(_ => _ = SendAsync(Kill(id)), null))
            return await running.Report.Task;
    }

    public async ValueTask DisposeAsync()
    {
        // The launcher sees the end of its stream, kills what runs, and closes its side: that ends the reader.
        try
        {
            _socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // Already gone, which is what we want.
        }

        using var late = new CancellationTokenSource(EndMax);
        await using (late.Token.UnsafeRegister(_ => _process.Kill(), null))
        {
            await _reading;
            await _process.WaitForExitAsync(CancellationToken.None);
        }

        _socket.Dispose();
        _process.Dispose();
        _sending.Dispose();
    }

    private static async Task<Socket> AcceptAsync(Socket listener, Process process, CancellationToken cancellationToken)
    {
        using var exited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var exit = process.WaitForExitAsync(exited.Token);
        var accept = listener.AcceptAsync(exited.Token).AsTask();
        try
        {
            if (await Task.WhenAny(accept, exit) == exit && !cancellationToken.IsCancellationRequested)
                throw new IOException($"the sandbox launcher exited with code {process.ExitCode} before it connected");
            var socket = await accept;
            if (PeerProcessId(socket) != process.Id)
            {
                socket.Dispose();
                throw new IOException("somebody else than the sandbox launcher connected to its socket");
            }

            return socket;
        }
        finally
        {
            await exited.CancelAsync();
        }
    }

    /// <summary>SO_PEERCRED (unix(7)): struct ucred { pid, uid, gid }.</summary>
    private static int PeerProcessId(Socket socket)
    {
        const int SolSocket = 1, SoPeerCred = 17;
        Span<byte> credentials = stackalloc byte[12];
        socket.GetRawSocketOption(SolSocket, SoPeerCred, credentials);
        return BinaryPrimitives.ReadInt32LittleEndian(credentials);
    }

    private async Task SendAsync(ReadOnlyMemory<byte> frame)
    {
        await _sending.WaitAsync();
        try
        {
            using var late = new CancellationTokenSource(SendMax);
            while (!frame.IsEmpty) frame = frame[await _socket.SendAsync(frame, late.Token)..];
        }
        catch (Exception)
        {
            // Half a frame may be gone. The reader sees the end of the socket and answers everybody who waits.
            Close();
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <summary>A peer that stopped making sense must not keep trees running: without its socket the launcher kills them and exits.</summary>
    private void Close()
    {
        try
        {
            _socket.Shutdown(SocketShutdown.Both);
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // Closed already.
        }
    }

    private async Task ReadAsync()
    {
        string because = "the sandbox launcher closed its socket";
        try
        {
            await ReadFramesAsync();
        }
        catch (Exception error)
        {
            // Whatever it is: without a reader nobody would ever hear of the actions that run here.
            because = $"the sandbox launcher is lost: {error.Message}";
        }

        _lostBecause = because;
        FailAll(because);
        Close();
    }

    private async Task ReadFramesAsync()
    {
        var buffer = new byte[2 * (HeaderBytes + ReplyPayloadBytesMax)];
        int filled = 0;
        while (true)
        {
            int count = await _socket.ReceiveAsync(buffer.AsMemory(filled));
            if (count == 0) return;
            filled += count;

            int used = 0;
            while (filled - used >= HeaderBytes)
            {
                if (!TryReadHeader(buffer.AsSpan(used), out var header))
                    throw new InvalidDataException($"frame of {header.PayloadBytes} bytes");
                int frameBytes = HeaderBytes + header.PayloadBytes;
                if (filled - used < frameBytes) break;
                Handle(header, buffer.AsMemory(used + HeaderBytes, header.PayloadBytes));
                used += frameBytes;
            }

            buffer.AsSpan(used, filled - used).CopyTo(buffer);
            filled -= used;
        }
    }

    private void Handle(Header header, ReadOnlyMemory<byte> payload)
    {
        if (header.Type == FrameType.Hello)
        {
            uint version = BinaryPrimitives.ReadUInt32LittleEndian(payload.Span);
            if (version != SandboxWire.Version)
                throw new InvalidDataException($"it speaks version {version}, this worker {SandboxWire.Version}");
            return;
        }

        if (!_running.TryGetValue(header.Id, out var running))
            throw new InvalidDataException($"frame {header.Type} for an action that does not run");
        switch (header.Type)
        {
            case FrameType.Started: Deliver(header.Id, running, stream: null, payload); break;
            case FrameType.Stdout: Deliver(header.Id, running, OutputStream.Stdout, payload); break;
            case FrameType.Stderr: Deliver(header.Id, running, OutputStream.Stderr, payload); break;
            case FrameType.Exit:
                var report = SandboxWire.Exit(payload.Span); // before it is forgotten: what makes no sense is answered by FailAll
                _running.TryRemove(header.Id, out _);
                running.Report.TrySetResult(running.OutputFailure is { } failure
                    ? report with { Outcome = SandboxOutcome.OutputLost, Detail = failure }
                    : report);
                break;
            default: throw new InvalidDataException($"unknown frame type {(uint)header.Type}");
        }
    }

    /// <summary>What an output throws is the failure of its action: the tree is killed, and its end is told as such.</summary>
    private void Deliver(ulong id, Running running, OutputStream? stream, ReadOnlyMemory<byte> data)
    {
        if (running.OutputFailure is not null) return;
        ServingLoop.Serve(
            (Connection: this, Id: id, Running: running, Stream: stream, Data: data),
            static piece =>
            {
                if (piece.Stream is { } stream) piece.Running.Output.Write(stream, piece.Data.Span);
                else piece.Running.Output.Started();
            },
            static (piece, failure) =>
            {
                piece.Running.OutputFailure = failure.Message;
                _ = piece.Connection.SendAsync(Kill(piece.Id));
            });
    }

    private void FailAll(string because)
    {
        foreach (var (id, running) in _running)
        {
            _running.TryRemove(id, out _);
            running.Report.TrySetResult(new SandboxReport { Outcome = SandboxOutcome.LauncherLost, Detail = because });
        }
    }
}
