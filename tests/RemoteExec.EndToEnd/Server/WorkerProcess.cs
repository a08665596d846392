namespace RemoteExec.EndToEnd;

/// <summary>A real <c>rexec-worker</c> that joins a server from outside.</summary>
internal sealed class WorkerProcess : IAsyncDisposable
{
    private readonly ServedProgram _program;

    private WorkerProcess(ServedProgram program) => _program = program;

    public OutputLines Log => _program.Log;

    public static WorkerProcess Start(ServerProcess server, string dataDirectory, params IReadOnlyList<string> flags) =>
        StartAt(server.GrpcAddress, dataDirectory, flags);

    public static WorkerProcess StartAt(string address, string dataDirectory, params IReadOnlyList<string> flags)
    {
        Directory.CreateDirectory(dataDirectory);
        var program = new ServedProgram(BuiltPrograms.Worker, ["--coordinator", address, .. flags], dataDirectory);
        program.Start();
        return new WorkerProcess(program);
    }

    public Task KillAsync() => _program.KillAsync();

    public Task StopAsync() => _program.StopAsync();

    public Task NothingLeftAsync() => _program.NothingLeftAsync();

    public ValueTask DisposeAsync() => _program.DisposeAsync();
}
