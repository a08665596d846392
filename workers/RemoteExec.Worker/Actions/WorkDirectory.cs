namespace RemoteExec.Worker;

/// <summary>One action's place on disk. Disposing gives it back for removal; it does not wait.</summary>
internal sealed class WorkDirectory(WorkDirectories owner, string name, string path) : IAsyncDisposable
{
    public string Path { get; } = path;

    /// <summary>What the action sees as its input root.</summary>
    public string InputRoot { get; } = $"{path}/root";

    /// <summary>For logs too large for memory; the action cannot see it.</summary>
    public string LogPath(string stream) => $"{Path}/{stream}";

    public ValueTask DisposeAsync() => owner.GiveBackAsync(name);
}
