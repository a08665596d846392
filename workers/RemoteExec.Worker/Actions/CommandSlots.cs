namespace RemoteExec.Worker;

/// <summary>How many commands run at once. Fetching, materialising and collecting need no slot.</summary>
internal sealed class CommandSlots(int slots) : IDisposable
{
    private readonly SemaphoreSlim _free = new(slots);

    /// <summary>Dispose the answer when the command has ended.</summary>
    public async ValueTask<Slot> TakeAsync(CancellationToken cancellationToken)
    {
        await _free.WaitAsync(cancellationToken);
        return new Slot(_free);
    }

    public void Dispose() => _free.Dispose();

    internal readonly struct Slot(SemaphoreSlim free) : IDisposable
    {
        public void Dispose() => free.Release();
    }
}
