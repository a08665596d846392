using static RemoteExec.Conformance.RawMessage;

namespace RemoteExec.EndToEnd;

/// <summary>An action that tells a witness when it runs, and waits for a gate; without a sandbox, so that both are files of the test's.</summary>
internal sealed class GatedAction : IAsyncDisposable
{
    private const int TimeoutSeconds = 600;

    private readonly bool _ownsServer;
    private readonly string _gate;

    private GatedAction(ServerProcess server, bool ownsServer)
    {
        (Server, _ownsServer) = (server, ownsServer);
        Witness = new Witness(Lab.NewFolder("witness"));
        _gate = Witness.Path + ".gate";
        Client = new RawClient(new Uri($"http://{server.GrpcAddress}"), TimeSpan.FromMinutes(2));
    }

    public ServerProcess Server { get; }

    public Witness Witness { get; }

    public RawClient Client { get; }

    /// <summary>At a server of its own, where who was lost may come back when he likes.</summary>
    public static async Task<GatedAction> StartAsync(params string[] flags) => new(
        await ServerProcess.StartAsync(Lab.NewFolder("server"), ["--sandbox", "off", "--wait-for-client", "1h", .. flags]), ownsServer: true);

    public static GatedAction At(ServerProcess server) => new(server, ownsServer: false);

    public Task OpenGateAsync() => File.WriteAllTextAsync(_gate, "");

    /// <summary>Stores what it needs; answers its digest. It writes <c>out</c>.</summary>
    /// <param name="number">Another one with each.</param>
    public async Task<byte[]> StoreAsync(int number = 0)
    {
        // Also when the test is over, whatever became of it.
        string script = $"echo ran >> {Witness.Path}; until [ -e {_gate} ] || [ ! -e {Witness.Path} ]; do sleep 0.05; done; printf done > out";
        byte[] command = Of((1, "/bin/sh"), (1, "-c"), (1, script), (1, $"number {number}"), (7, "out"));
        byte[] action = Of((1, RawBlob.Of(command).ToMessage()), (2, RawBlob.Of([]).ToMessage()), (6, Of((1, TimeoutSeconds))));
        using var executor = new RawExecutor(Server.GrpcAddress);
        await executor.StoreAllAsync(command, action);
        return RawBlob.Of(action).ToMessage();
    }

    public async ValueTask DisposeAsync()
    {
        await OpenGateAsync();
        Client.Dispose();
        if (_ownsServer) await Server.DisposeAsync();
    }
}
