namespace RemoteExec.Worker;

/// <summary>The executable's own part: options in, exit code out.</summary>
internal static class WorkerHost
{
    public static Task<int> RunAsync(string[] args) => Task.FromResult(args.Length);
}
