namespace RemoteExec.Benchmarks;

/// <summary>Something that is measured together with what it is compared with, under the same load.</summary>
internal interface IBenchmark
{
    /// <summary>By which a run is narrowed: <c>eng/bench write</c>.</summary>
    string Name { get; }

    Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken);
}
