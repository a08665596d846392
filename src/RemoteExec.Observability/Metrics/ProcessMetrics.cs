using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using Prometheus;
using RemoteExec.Storage;

namespace RemoteExec.Observability;

/// <summary>What runs here and what it takes of the machine, under the names that every Prometheus client library gives them.</summary>
internal sealed class ProcessMetrics
{
    private const string Descriptors = "/proc/self/fd";

    private readonly Gauge _ready;
    private readonly Counter _cpuSeconds;
    private readonly Gauge _memoryBytes;
    private readonly Gauge? _openFiles;

    /// <param name="roles">The parts that this process plays.</param>
    public ProcessMetrics(Instruments instruments, string roles)
    {
        var (version, commit) = Build();
        instruments.Gauge("remoteexec_build_info", "What runs here.", "version", "commit", "role", "runtime")
            .WithLabels(version, commit, roles, RuntimeInformation.FrameworkDescription).Set(1);
        _ready = instruments.Gauge("remoteexec_ready", "1 while /readyz answers 200.");

        using var self = Process.GetCurrentProcess();
        instruments.Gauge("process_start_time_seconds", "When the process started, in Unix time.").SetToTimeUtc(self.StartTime.ToUniversalTime());
        _cpuSeconds = instruments.Counter("process_cpu_seconds_total", "Processor time of this process.");
        _memoryBytes = instruments.Gauge("process_resident_memory_bytes", "Memory of this process that is resident.");
        if (!Directory.Exists(Descriptors)) return;

        _openFiles = instruments.Gauge("process_open_fds", "Open file descriptors.");
        instruments.Gauge("process_max_fds", "File descriptors that may be open.").Set(OpenFiles.Max() ?? double.PositiveInfinity);
    }

    public void Show(ServerHealth health)
    {
        _ready.Set(health.IsReady ? 1 : 0);
        _cpuSeconds.IncTo(Environment.CpuUsage.TotalTime.TotalSeconds);
        _memoryBytes.Set(Environment.WorkingSet);
        _openFiles?.Set(Directory.EnumerateFileSystemEntries(Descriptors).Count());
    }

    // The build writes "0.1.0+COMMIT", and no commit where it knows none.
    private static (string Version, string Commit) Build()
    {
        string built = typeof(ProcessMetrics).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";
        string[] parts = built.Split('+', 2);
        return (parts[0], parts.Length > 1 ? parts[1] : "");
    }
}
