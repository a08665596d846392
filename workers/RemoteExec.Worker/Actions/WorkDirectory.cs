namespace RemoteExec.Worker;

/// <summary>One action's place on disk. Disposing gives it back, to be removed; it does not wait.</summary>
internal sealed class WorkDirectory(WorkDirectories owner, string name, string path) : IAsyncDisposable
{
    public const string InputRootName = "root";

    public string Name { get; } = name;

    public string Path { get; } = path;

    /// <summary>What the action sees as its input root.</summary>
    public string InputRoot { get; } = $"{path}/{InputRootName}";

    /// <summary>A file of ours: large logs, marks. The action does not see it.</summary>
    public string PathBeside(string name) => $"{Path}/{name}";

    public ValueTask DisposeAsync() => owner.GiveBackAsync(this);
}
