namespace RemoteExec.Client;

/// <summary>One command to run remotely.</summary>
public sealed record RemoteCommand
{
    public required IReadOnlyList<string> Arguments { get; init; }

    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>Files or folders to bring back, relative to <see cref="WorkingDirectory"/> (REAPI Command.output_paths).</summary>
    public IReadOnlyList<string> OutputPaths { get; init; } = [];

    /// <summary>Platform properties, name and value.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Platform { get; init; } = [];

    /// <summary>Relative to the input root; empty for the root itself.</summary>
    public string WorkingDirectory { get; init; } = "";

    /// <summary>The server's default when null.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Run although a result is cached (REAPI ExecuteRequest.skip_cache_lookup).</summary>
    public bool SkipCacheLookup { get; init; }

    /// <summary>Neither answer from nor store in the action cache (REAPI Action.do_not_cache).</summary>
    public bool DoNotCache { get; init; }

    /// <summary>Lower runs sooner.</summary>
    public int Priority { get; init; }

    /// <summary>Makes an otherwise equal action another one (REAPI Action.salt).</summary>
    public ReadOnlyMemory<byte> Salt { get; init; }
}
