using RemoteExec.EndToEnd;

namespace RemoteExec.Benchmarks;

/// <summary>The bare handler, running.</summary>
internal sealed class BareKestrelProcess : IAsyncDisposable
{
    private readonly ChildProcess _process;

    private BareKestrelProcess(ChildProcess process, string address) => (_process, Address) = (process, address);

    public string Address { get; }

    public static async Task<BareKestrelProcess> StartAsync(
        Bench bench, byte[] reply, string streamedFile, CancellationToken cancellationToken)
    {
        string folder = bench.NewFolder("bare");
        string replyFile = Path.Combine(folder, "reply");
        await File.WriteAllBytesAsync(replyFile, reply, cancellationToken);

        string address = $"127.0.0.1:{FreePort.Next()}";
        var environment = new Dictionary<string, string?>
        {
            [BuiltPrograms.Runtime.Name] = BuiltPrograms.Runtime.Value,
            // As rexec-server sets it for itself.
            ["DOTNET_gcServer"] = "0",
        };
        var process = ChildProcess.Start(
            Environment.ProcessPath!, ["bare-kestrel", address, replyFile, streamedFile], folder, environment);
        var bare = new BareKestrelProcess(process, address);
        await process.Output.WaitForAsync("it listened", line => line == BareKestrel.ReadyLine, 1, cancellationToken);
        return bare;
    }

    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
