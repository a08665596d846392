namespace RemoteExec.Hosting;

/// <summary>What a program does between its start and its end, composed and ready to begin; disposed when its host is.</summary>
public interface IProgramWork : IAsyncDisposable
{
    /// <summary>What a person reads when it is ready.</summary>
    string Welcome { get; }

    /// <summary>Works until told to stop, then drains. Ends earlier only with the failure that keeps it from going on.</summary>
    Task RunAsync(CancellationToken stopping);
}
