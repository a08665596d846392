using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;

namespace RemoteExec.Observability;

/// <summary>What runs here and what it takes of the machine, under the names that every Prometheus client library gives them.</summary>
public sealed class ProcessMetrics : IDisposable
{
    private const string OpenFiles = "/proc/self/fd";
    private const string Limits = "/proc/self/limits";

    private readonly Meter _meter = new("RemoteExec.Process");

    /// <param name="roles">The parts that this process plays.</param>
    public ProcessMetrics(ServerHealth health, string roles)
    {
        var build = new Measurement<int>(1, [.. BuildLabels(), new("role", roles), new("runtime", RuntimeInformation.FrameworkDescription)]);
        _meter.CreateObservableGauge("remoteexec_build_info", () => build, null, "What runs here.");
        _meter.CreateObservableGauge("remoteexec_ready", () => health.IsReady ? 1 : 0, null, "1 while /readyz answers 200.");

        double startSeconds = (StartedAt() - DateTimeOffset.UnixEpoch).TotalSeconds;
        _meter.CreateObservableGauge("process_start_time_seconds", () => startSeconds, null, "When the process started, in Unix time.");
        _meter.CreateObservableCounter("process_cpu_seconds_total", () => Environment.CpuUsage.TotalTime.TotalSeconds, null, "Processor time of this process.");
        _meter.CreateObservableGauge("process_resident_memory_bytes", () => Environment.WorkingSet, null, "Memory of this process that is resident.");
        if (!Directory.Exists(OpenFiles)) return;

        _meter.CreateObservableGauge("process_open_fds", () => Directory.EnumerateFileSystemEntries(OpenFiles).Count(), null, "Open file descriptors.");
        _meter.CreateObservableGauge("process_max_fds", MaxOpenFiles, null, "File descriptors that may be open.");
    }

    public void Dispose() => _meter.Dispose();

    // The build writes "0.1.0+COMMIT", and no commit where it knows none.
    private static IEnumerable<KeyValuePair<string, object?>> BuildLabels()
    {
        string built = typeof(ProcessMetrics).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";
        string[] parts = built.Split('+', 2);
        yield return new("version", parts[0]);
        yield return new("commit", parts.Length > 1 ? parts[1] : "");
    }

    private static DateTimeOffset StartedAt()
    {
        using var self = Process.GetCurrentProcess();
        return self.StartTime.ToUniversalTime();
    }

    // proc(5): "Max open files   1024   524288   files"; the first number is what counts.
    private static IEnumerable<Measurement<long>> MaxOpenFiles() =>
        from line in File.ReadLines(Limits)
        where line.StartsWith("Max open files", StringComparison.Ordinal)
        let soft = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[3]
        select new Measurement<long>(soft == "unlimited" ? long.MaxValue : long.Parse(soft, CultureInfo.InvariantCulture));
}
