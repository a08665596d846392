using System.Collections.Concurrent;

namespace RemoteExec.Storage;

/// <summary>Keeps a few contexts: making one costs more than compressing a small blob. Those beyond the bound are freed.</summary>
internal sealed class ContextPool<T>(Func<T> create) where T : class, IDisposable
{
    private static readonly int KeptMax = Environment.ProcessorCount * 2;

    private readonly ConcurrentStack<T> _kept = new();

    public T Rent() => _kept.TryPop(out var context) ? context : create();

    public void Return(T context)
    {
        // Count may be off by a few between threads; the bound is about megabytes, not about one context.
        if (_kept.Count < KeptMax) _kept.Push(context);
        else context.Dispose();
    }
}
