using System.Runtime;
using System.Runtime.ExceptionServices;
using Prometheus;

namespace RemoteExec.Observability;

/// <summary>What the runtime tells of itself, under the names of its own instruments where promtool takes them.</summary>
internal sealed class RuntimeMetrics : IDisposable
{
    private static readonly string[] Generations = ["gen0", "gen1", "gen2", "loh", "poh"];

    // What throws while it is counted would be counted, and throw.
    [ThreadStatic]
    private static bool _isCounting;

    private readonly HeldChildren<Type, Counter.Child> _exceptions;
    private readonly HeldChildren<int, Counter.Child> _collections;
    private readonly HeldChildren<int, Gauge.Child> _heapBytes;
    private readonly HeldChildren<int, Gauge.Child> _holesBytes;
    private Action _show;

    public RuntimeMetrics(Instruments instruments)
    {
        var exceptions = instruments.Counter("dotnet_exceptions_total", "Exceptions thrown, also those that were handled.", "error_type");
        _exceptions = new(type => exceptions.WithLabels(type.Name));
        var collections = instruments.Counter("dotnet_gc_collections_total", "Garbage collections.", "gc_heap_generation");
        _collections = new(generation => collections.WithLabels(Generations[generation]));
        var heapBytes = instruments.Gauge("dotnet_gc_last_collection_heap_size_bytes", "The heap after the last collection, with its holes.", "gc_heap_generation");
        _heapBytes = new(generation => heapBytes.WithLabels(Generations[generation]));
        var holesBytes = instruments.Gauge(
            "dotnet_gc_last_collection_heap_fragmentation_size_bytes", "Holes in the heap after the last collection.", "gc_heap_generation");
        _holesBytes = new(generation => holesBytes.WithLabels(Generations[generation]));

        var cpu = instruments.Counter("dotnet_process_cpu_time_seconds_total", "Processor time of this process.", "cpu_mode");
        var (user, system) = (cpu.WithLabels("user"), cpu.WithLabels("system"));
        _show = ShowCollections;
        Count("dotnet_gc_heap_total_allocated_bytes_total", "Bytes allocated so far.", () => GC.GetTotalAllocatedBytes());
        Count("dotnet_gc_pause_time_seconds_total", "Time that everything stood still for the collector.", () => GC.GetTotalPauseDuration().TotalSeconds);
        Count("dotnet_jit_compilation_time_seconds_total", "Time spent compiling.", () => JitInfo.GetCompilationTime().TotalSeconds);
        Count("dotnet_jit_compiled_il_size_bytes_total", "Bytes of intermediate language compiled.", () => JitInfo.GetCompiledILBytes());
        Count("dotnet_jit_compiled_methods_total", "Methods compiled.", () => JitInfo.GetCompiledMethodCount());
        Count("dotnet_monitor_lock_contentions_total", "Waits for a lock that was taken.", () => Monitor.LockContentionCount);
        Count("dotnet_thread_pool_work_item_count_total", "Work items done by the pool.", () => ThreadPool.CompletedWorkItemCount);
        Watch("dotnet_gc_last_collection_memory_committed_size_bytes", "Memory that the collector holds.", () => GC.GetGCMemoryInfo().TotalCommittedBytes);
        Watch("dotnet_process_memory_working_set_bytes", "Memory of this process that is resident.", () => Environment.WorkingSet);
        Watch("dotnet_process_processors", "Processors that this process may use.", () => Environment.ProcessorCount);
        Watch("dotnet_assemblies", "Assemblies that are loaded.", () => AppDomain.CurrentDomain.GetAssemblies().Length);
        Watch("dotnet_thread_pool_threads", "Threads in the pool.", () => ThreadPool.ThreadCount);
        Watch("dotnet_thread_pool_queue_length", "Work items that wait for a thread of the pool.", () => ThreadPool.PendingWorkItemCount);
#pragma warning disable RS0030 // counts timers and makes none
        Watch("dotnet_timers", "Timers that wait.", () => Timer.ActiveCount);
#pragma warning restore RS0030
        _show += () =>
        {
            var used = Environment.CpuUsage;
            user.IncTo(used.UserTime.TotalSeconds);
            system.IncTo(used.PrivilegedTime.TotalSeconds);
        };
        AppDomain.CurrentDomain.FirstChanceException += OnThrown;

        void Count(string name, string help, Func<double> total)
        {
            var counter = instruments.Counter(name, help);
            _show += () => counter.IncTo(total());
        }

        void Watch(string name, string help, Func<double> value)
        {
            var gauge = instruments.Gauge(name, help);
            _show += () => gauge.Set(value());
        }
    }

    public void Show() => _show();

    public void Dispose() => AppDomain.CurrentDomain.FirstChanceException -= OnThrown;

    private void ShowCollections()
    {
        // A collection of a generation is one of all younger ones too; the runtime's own instrument counts it once.
        int older = 0;
        for (int generation = GC.MaxGeneration; generation >= 0; generation--)
        {
            int collections = GC.CollectionCount(generation);
            _collections[generation].IncTo(collections - older);
            older = collections;
        }

        var last = GC.GetGCMemoryInfo();
        if (last.Index == 0) return; // none yet

        for (int generation = 0; generation < last.GenerationInfo.Length; generation++)
        {
            _heapBytes[generation].Set(last.GenerationInfo[generation].SizeAfterBytes);
            _holesBytes[generation].Set(last.GenerationInfo[generation].FragmentationAfterBytes);
        }
    }

    private void OnThrown(object? sender, FirstChanceExceptionEventArgs thrown)
    {
        if (_isCounting) return;
        _isCounting = true;
        try
        {
            _exceptions[thrown.Exception.GetType()].Inc(Exemplar.None);
        }
        finally
        {
            _isCounting = false;
        }
    }
}
