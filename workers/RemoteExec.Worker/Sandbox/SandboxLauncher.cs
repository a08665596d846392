using System.Diagnostics;
using System.Globalization;

namespace RemoteExec.Worker.Sandbox;

/// <summary>
/// The sandbox of Linux: owns the native launcher (DESIGN D5), starts it when the first action comes and again if it
/// dies. Actions that ran under a launcher that died are over, with <see cref="SandboxOutcome.LauncherLost"/>.
/// </summary>
public sealed class SandboxLauncher(SandboxLauncherOptions options) : ISandbox, IAsyncDisposable
{
    private readonly SemaphoreSlim _starting = new(1);
    private LauncherConnection? _connection;
    private bool _disposed;

    public SandboxIdentity? FileOwner => Environment.IsPrivilegedProcess ? options.ActionIdentity : null;

    /// <summary>The launcher's process, for those who watch it; null while none runs.</summary>
    public int? ProcessId => _connection is { IsLost: false } connection ? connection.ProcessId : null;

    public async ValueTask<SandboxReport> RunAsync(SandboxSpec spec, ISandboxOutput output, CancellationToken cancellationToken)
    {
        try
        {
            var connection = await ConnectAsync(cancellationToken);
            return await connection.RunAsync(spec, output, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return NeverStarted;
        }
        catch (Exception error)
        {
            // No descriptor left, no memory for a process, no such file: whatever it is, there is no launcher.
            return new SandboxReport { Outcome = SandboxOutcome.LauncherLost, Detail = error.Message };
        }
    }

    /// <summary>Ends the launcher and everything that runs under it.</summary>
    public async ValueTask DisposeAsync()
    {
        await _starting.WaitAsync();
        try
        {
            _disposed = true;
            if (_connection is not null) await _connection.DisposeAsync();
            _connection = null;
        }
        finally
        {
            _starting.Release();
        }
    }

    internal static ProcessStartInfo StartInfo(SandboxLauncherOptions options, params string[] mode) => new(options.LauncherPath,
    [
        .. mode,
        "--uid", options.ActionIdentity.UserId.ToString(CultureInfo.InvariantCulture),
        "--gid", options.ActionIdentity.GroupId.ToString(CultureInfo.InvariantCulture),
        "--slots", options.SlotsMax.ToString(CultureInfo.InvariantCulture),
        .. options.SystemPaths.SelectMany(path => (string[])["--system", path]),
    ]);

    private static SandboxReport NeverStarted { get; } =
        new() { Outcome = SandboxOutcome.Killed, Detail = "cancelled before it started" };

    private async ValueTask<LauncherConnection> ConnectAsync(CancellationToken cancellationToken)
    {
        if (_connection is { IsLost: false } alive) return alive;
        await _starting.WaitAsync(cancellationToken);
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_connection is { IsLost: false } started) return started;
            if (_connection is { } lost) await lost.DisposeAsync();
            _connection = null; // so that a failed start does not leave a disposed one behind
            return _connection = await LauncherConnection.StartAsync(options, cancellationToken);
        }
        finally
        {
            _starting.Release();
        }
    }
}
