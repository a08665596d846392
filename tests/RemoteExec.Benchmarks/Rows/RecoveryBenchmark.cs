using Google.LongRunning;
using RemoteExec.Core;
using RemoteExec.EndToEnd;

namespace RemoteExec.Benchmarks;

/// <summary>
/// kill -9 with a long queue: how soon the server serves again, and whether every operation that a client
/// was told about is still there.
/// </summary>
internal sealed class RecoveryBenchmark : IBenchmark
{
    private const int Operations = 10_000;
    private const int Parallel = 64;

    public string Name => "recovery";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        // One slot, and whatever gets it sleeps: the rest stays in the queue.
        await using var server = await bench.StartServerAsync("--slots", "1");
        var names = await SubmitAsync(server.GrpcAddress, cancellationToken);
        await server.KillAsync();

        long start = TimeProvider.System.GetTimestamp();
        await server.RestartAsync();
        double seconds = TimeProvider.System.GetElapsedTime(start).TotalSeconds;

        int lost = await CountLostAsync(server.GrpcAddress, names, cancellationToken);
        await server.KillAsync();
        await server.NothingLeftAsync();
        return
        [
            Measurement.Absolute($"recovery: {names.Count} queued, to /readyz", seconds, "s", Target.AtMost(2)),
            Measurement.Absolute("recovery: operations lost", lost, "", Target.AtMost(0)),
        ];
    }

    /// <summary>Returns once the server has named all the operations; their streams die with it.</summary>
    private static async Task<IReadOnlyList<string>> SubmitAsync(string address, CancellationToken cancellationToken)
    {
        using var uploader = new GrpcCaller(address);
        var actions = await new NoOpActions(uploader).UploadAsync("/bin/sleep", ["1000"], Operations, cancellationToken);

        var callers = Enumerable.Range(0, Parallel).Select(_ => new GrpcCaller(address)).ToArray();
        var names = new List<Task<string>>();
        using var slots = new SemaphoreSlim(Parallel);
        foreach (var (action, i) in actions.Select((action, i) => (action, i)))
        {
            await slots.WaitAsync(cancellationToken);
            var name = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            names.Add(name.Task);
            _ = FollowAsync(callers[i % Parallel], action, name, slots, cancellationToken);
        }

        return await Task.WhenAll(names);
    }

    private static async Task FollowAsync(
        GrpcCaller caller, Digest action, TaskCompletionSource<string> name, SemaphoreSlim slots, CancellationToken cancellationToken)
    {
        try
        {
            await caller.ReadAllAsync(Methods.Execute, new ByteArrayContent(NoOpActions.ExecuteFrame(action)), message =>
            {
                if (name.TrySetResult(Operation.Parser.ParseFrom(message.Span).Name)) slots.Release();
            }, cancellationToken);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or InvalidDataException)
        {
            // The server was killed: expected after the name was heard, and the failure of the row before.
            if (name.TrySetException(exception)) slots.Release();
        }
    }

    private static async Task<int> CountLostAsync(string address, IReadOnlyList<string> names, CancellationToken cancellationToken)
    {
        using var caller = new GrpcCaller(address);
        int lost = 0;
        await System.Threading.Tasks.Parallel.ForEachAsync(names, cancellationToken, async (name, token) =>
        {
            try
            {
                await caller.UnaryAsync(Methods.GetOperation, new GetOperationRequest { Name = name }, Operation.Parser, token);
            }
            catch (InvalidDataException)
            {
                Interlocked.Increment(ref lost); // NOT_FOUND
            }
        });
        return lost;
    }
}
