namespace RemoteExec.Worker.Tests;

/// <summary>A real folder that is gone after the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public TemporaryFolder() => Path = Directory.CreateTempSubdirectory("rexec-worker-test-").FullName;

    public string Path { get; }

    public string Sub(string name) => Directory.CreateDirectory(System.IO.Path.Combine(Path, name)).FullName;

    public void Dispose()
    {
        string parent = System.IO.Path.GetDirectoryName(Path)!;
        TreeRemover.Remove(parent, FileName.From(System.IO.Path.GetFileName(Path)), CancellationToken.None);
    }
}
