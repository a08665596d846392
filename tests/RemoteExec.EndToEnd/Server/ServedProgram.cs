namespace RemoteExec.EndToEnd;

/// <summary>
/// One of our own executables, started on a data directory: it can be killed -9 and started again on
/// the same place, and when it is stopped nothing of it may remain.
/// </summary>
internal sealed class ServedProgram : IAsyncDisposable
{
    // Twice what a drain may take while actions run (--drain-limit); with nothing running it is well under a second.
    private static readonly TimeSpan StopWithin = TimeSpan.FromSeconds(60);

    // Whatever the program starts inherits this variable, so leftovers can be told from other people's processes.
    private const string MarkName = "E2E_MARK";

    private readonly string _program;
    private readonly IReadOnlyList<string> _arguments;
    private readonly string _dataDirectory;
    private readonly Dictionary<string, string?> _environment;
    private readonly List<string> _marks = [];
    private ChildProcess? _process;

    public ServedProgram(string program, IReadOnlyList<string> arguments, string dataDirectory)
    {
        if (!File.Exists(program)) throw new FileNotFoundException($"{program} is not built: run ./eng/test", program);

        _program = program;
        _arguments = [.. arguments, "--data-dir", dataDirectory];
        _dataDirectory = dataDirectory;
        _environment = new Dictionary<string, string?> { [BuiltPrograms.Runtime.Name] = BuiltPrograms.Runtime.Value };
    }

    /// <summary>All lines of the present incarnation.</summary>
    public OutputLines Log => Process.Output;

    public int Id => Process.Id;

    public Task<int> Exited => Process.Exited;

    private ChildProcess Process => _process ?? throw new InvalidOperationException($"{_program} was not started");

    public void Start()
    {
        if (_process is { Exited.IsCompleted: false }) throw new InvalidOperationException($"{_program} already runs");
        _marks.Add(Guid.NewGuid().ToString("N"));
        _environment[MarkName] = _marks[^1];
        _process = ChildProcess.Start(_program, _arguments, _dataDirectory, _environment);
    }

    /// <summary>kill -9, and wait until the kernel has cleared it away.</summary>
    public async Task KillAsync()
    {
        Process.Kill();
        await Process.Exited.WaitAsync(StopWithin);
    }

    public void Terminate() => Process.Terminate();

    /// <summary>SIGTERM: it must end by itself, with exit code 0, and leave no process and no mount.</summary>
    public async Task StopAsync()
    {
        Process.Terminate();
        await EndedAsync();
        await NothingLeftAsync();
    }

    /// <summary>It ends by itself, with exit code 0.</summary>
    public async Task EndedAsync()
    {
        int exitCode = await Process.Exited.WaitAsync(StopWithin);
        if (exitCode != 0)
            throw new InvalidOperationException($"{_program} ended with {exitCode} after SIGTERM; its last lines:\n{Log.Tail(60)}");
    }

    /// <summary>Of no incarnation, also not of those that were killed: helpers notice that their parent is gone.</summary>
    public async Task NothingLeftAsync()
    {
        await Eventually.TrueAsync(
            () => $"no process of {Path.GetFileName(_program)} is left, but: {string.Join("; ", Processes())}", StopWithin,
            () => ValueTask.FromResult(!Processes().Any()));

        string[] mounts = [.. File.ReadLines("/proc/self/mounts").Where(line => line.Contains(_dataDirectory, StringComparison.Ordinal))];
        if (mounts.Length > 0) throw new InvalidOperationException($"mounts left behind: {string.Join("; ", mounts)}");
    }

    private IEnumerable<string> Processes() => _marks.SelectMany(mark => ProcessTable.WithEnvironment(MarkName, mark));

    public async ValueTask DisposeAsync()
    {
        if (_process is not null) await _process.DisposeAsync();
    }
}
