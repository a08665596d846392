using System.Net;
using System.Text.Json;

namespace RemoteExec.EndToEnd;

/// <summary>A real <c>rexec-server</c> on ports and in a data directory of its own.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    // The promise is one second on an idle machine; here Bazel and its compilers may be using both cores.
    private static readonly TimeSpan ReadyWithin = TimeSpan.FromSeconds(30);

    private readonly ServedProgram _program;
    private readonly HttpClient _http;

    private ServerProcess(string program, string dataDirectory, IReadOnlyList<string> flags)
    {
        GrpcAddress = $"127.0.0.1:{FreePort.Next()}";
        HttpAddress = $"127.0.0.1:{FreePort.Next()}";
        _http = new HttpClient { BaseAddress = new Uri($"http://{HttpAddress}"), Timeout = TimeSpan.FromSeconds(10) };
        _program = new ServedProgram(
            program, ["--grpc", GrpcAddress, "--http", HttpAddress, .. flags], dataDirectory);
    }

    public string GrpcAddress { get; }

    public string HttpAddress { get; }

    public OutputLines Log => _program.Log;

    public int Id => _program.Id;

    public static Task<ServerProcess> StartAsync(string dataDirectory, params IReadOnlyList<string> flags) =>
        StartProgramAsync(BuiltPrograms.Server, dataDirectory, flags);

    /// <summary>A program that takes the same flags and becomes the server: <c>eng/up</c>.</summary>
    public static async Task<ServerProcess> StartProgramAsync(
        string program, string dataDirectory, params IReadOnlyList<string> flags)
    {
        Directory.CreateDirectory(dataDirectory);
        var server = new ServerProcess(program, dataDirectory, flags);
        try
        {
            await server.RestartAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts again, on the same ports and the same data, what was killed or stopped.</summary>
    public async Task RestartAsync()
    {
        _program.Start();
        await Eventually.TrueAsync(() => $"/readyz of {HttpAddress} answers 200", ReadyWithin, IsReadyAsync);
    }

    /// <summary>
    /// SIGTERM, and the next process as soon as this one has ended, as a supervisor does it. Answers how long that took, the drain
    /// included: nobody was there for less.
    /// </summary>
    public async Task<TimeSpan> RestartGracefullyAsync()
    {
        long start = TimeProvider.System.GetTimestamp();
        Terminate();
        await EndedAsync();
        await RestartAsync();
        return TimeProvider.System.GetElapsedTime(start);
    }

    public void Terminate() => _program.Terminate();

    /// <summary>It was told to stop and has begun to.</summary>
    public Task DrainsAsync() => Log.WaitForAsync("it began to drain", line => line.Contains("draining for at most", StringComparison.Ordinal), count: 1, default);

    /// <summary>It has ended by itself, and well.</summary>
    public Task EndedAsync() => _program.EndedAsync();

    public Task KillAsync() => _program.KillAsync();

    public Task StopAsync() => _program.StopAsync();

    public Task NothingLeftAsync() => _program.NothingLeftAsync();

    /// <summary>Sum over the series of a metric whose labels contain each of the given ones, such as <c>state="ready"</c>.</summary>
    public async Task<double> MetricAsync(string name, params string[] labels)
    {
        var page = PrometheusPage.Parse(await _http.GetStringAsync(new Uri("/metrics", UriKind.Relative)));
        return page.Sum(name, labels);
    }

    /// <summary>Why this wall does not stand around the actions of the local worker; null when it does.</summary>
    public async Task<string?> WhyNotAsync(string wall)
    {
        await Eventually.TrueAsync(() => "the local worker has joined", ReadyWithin, async () => await MetricAsync("remoteexec_pool_slots") > 0);
        using var status = JsonDocument.Parse(await _http.GetStringAsync(new Uri("/api/v1/status", UriKind.Relative)));
        var walls = status.RootElement.GetProperty("workers").EnumerateArray().Single().GetProperty("walls").EnumerateArray();
        var found = walls.Single(each => each.GetProperty("name").GetString() == wall);
        return found.GetProperty("enforced").GetBoolean() ? null : found.GetProperty("reason").GetString();
    }

    public async ValueTask DisposeAsync()
    {
        await _program.DisposeAsync();
        _http.Dispose();
    }

    private async ValueTask<bool> IsReadyAsync()
    {
        if (_program.Exited.IsCompleted)
            throw new InvalidOperationException($"rexec-server ended with {await _program.Exited} at start; its lines:\n{Log}");
        try
        {
            using var answer = await _http.GetAsync(new Uri("/readyz", UriKind.Relative));
            return answer.StatusCode == HttpStatusCode.OK;
        }
        catch (HttpRequestException)
        {
            return false; // nobody listens yet
        }
    }
}
