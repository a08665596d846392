namespace RemoteExec.Worker;

/// <summary>One action's place on disk. Disposing gives it back, to be emptied and used again; it does not wait.</summary>
internal sealed class WorkDirectory(WorkDirectories owner, string name, string path) : IAsyncDisposable
{
    public const string InputRootName = "root";

    public string Name { get; } = name;

    public string Path { get; } = path;

    /// <summary>What the action sees as its input root.</summary>
    public string InputRoot { get; } = $"{path}/{InputRootName}";

    /// <summary>
    /// Something of the action may still run in here, so nothing in here is given to another action. What it has open is
    /// removed under its feet, and nothing can be made in a removed directory.
    /// </summary>
    public bool MayBeEntered { get; set; }

    /// <summary>A file of ours: large logs, marks. The action does not see it.</summary>
    public string PathBeside(string name) => $"{Path}/{name}";

    public ValueTask DisposeAsync() => owner.GiveBackAsync(this);
}
