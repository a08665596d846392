using System.Globalization;
using Microsoft.Extensions.Hosting.Systemd;

namespace RemoteExec.Hosting;

/// <summary>What a service manager that started us wants to hear (sd_notify(3)); nothing where nobody listens.</summary>
internal sealed class ServiceManager(TimeSpan drainMax)
{
    // What comes after the drain: files are closed, the log is written out.
    private static readonly TimeSpan AfterDrain = TimeSpan.FromSeconds(10);

    private readonly SystemdNotifier _notifier = new();

    /// <summary>READY=1; and, if a watchdog is asked for, a sign of life at half its interval until the answer is disposed.</summary>
    public IDisposable Ready(TimeProvider time)
    {
        _notifier.Notify(ServiceState.Ready);
        // On a thread of the pool: what the watchdog sees is that work still gets threads.
        return time.CreateTimer(_ => _notifier.Notify(new ServiceState("WATCHDOG=1")), state: null, WatchdogInterval, WatchdogInterval);
    }

    /// <summary>STOPPING=1, and how long it may take: --drain-limit may be longer than the unit's TimeoutStopSec.</summary>
    public void Stopping()
    {
        _notifier.Notify(ServiceState.Stopping);
        string microseconds = ((long)(drainMax + AfterDrain).TotalMicroseconds).ToString(CultureInfo.InvariantCulture);
        _notifier.Notify(new ServiceState($"EXTEND_TIMEOUT_USEC={microseconds}"));
    }

    // sd_watchdog_enabled(3): WATCHDOG_USEC, and WATCHDOG_PID if it is meant for one process; half of it is the recommended interval.
    private static TimeSpan WatchdogInterval =>
        long.TryParse(Environment.GetEnvironmentVariable("WATCHDOG_USEC"), NumberStyles.None, CultureInfo.InvariantCulture, out long microseconds)
        && microseconds > 0
        && (Environment.GetEnvironmentVariable("WATCHDOG_PID") ?? ProcessId) == ProcessId
            ? TimeSpan.FromMicroseconds(microseconds / 2)
            : Timeout.InfiniteTimeSpan;

    private static string ProcessId => Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
}
