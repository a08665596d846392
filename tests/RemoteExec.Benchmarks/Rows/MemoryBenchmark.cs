using System.Globalization;
using Google.Bytestream;
using RemoteExec.EndToEnd;

namespace RemoteExec.Benchmarks;

/// <summary>
/// What the server's memory grows by, at its peak, under 64 streams at once: so many uploads of 1 GiB, and so many reads of one. Each is cut off
/// behind its first part, when all have it: what a stream holds does not depend on how much has passed.
/// </summary>
internal sealed class MemoryBenchmark : IBenchmark
{
    private const int Streams = 64;
    private const int WrittenBytes = 128 << 20;
    private const int ReadBytes = 256 << 20;

    public string Name => "memory";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        await using var server = await bench.StartServerAsync();
        var blob = new BigBlob();
        var digest = blob.Next();
        using (var caller = new GrpcCaller(server.GrpcAddress))
        using (var upload = new UploadContent($"uploads/{Guid.NewGuid()}/blobs/{digest.Hash}/{digest.SizeBytes}", blob.Content))
            await caller.ReadAllAsync(Methods.Write, upload, _ => { }, cancellationToken);

        double read = await GrowthAsync(server, (caller, reached, ended) => ReadAsync(caller, digest, reached, ended), cancellationToken);
        double written = await GrowthAsync(server, (caller, reached, ended) => WriteAsync(caller, blob, reached, ended), cancellationToken);

        await server.StopAsync();
        return
        [
            Measurement.Absolute($"{Streams} reads of 1 GiB: memory for each", read, "MiB", Target.AtMost(8)),
            Measurement.Absolute($"{Streams} uploads of 1 GiB: memory for each", written, "MiB", Target.AtMost(8)),
        ];
    }

    /// <summary>Of the peak, over what it was before, for each stream.</summary>
    private static async Task<double> GrowthAsync(
        ServerProcess server, Func<GrpcCaller, Action, CancellationToken, Task> streamAsync, CancellationToken cancellationToken)
    {
        // The peak that the kernel keeps begins anew (proc(5), clear_refs).
        await File.WriteAllTextAsync($"/proc/{server.Id}/clear_refs", "5", cancellationToken);
        double before = await PeakMebibytesAsync(server);

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        int left = Streams;
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var streams = Enumerable.Range(0, Streams).Select(_ => Task.Run(
            async () =>
            {
                using var caller = new GrpcCaller(server.GrpcAddress);
                try
                {
                    await streamAsync(caller, () => { if (Interlocked.Decrement(ref left) == 0) all.SetResult(); }, ended.Token);
                }
                catch (Exception) when (ended.IsCancellationRequested)
                {
                    // It was cut off, as all are.
                }
            },
            CancellationToken.None)).ToArray();
        await Task.WhenAny(all.Task, Task.WhenAll(streams)).Unwrap();
        double peak = await PeakMebibytesAsync(server);
        await ended.CancelAsync();
        await Task.WhenAll(streams);
        return (peak - before) / Streams;
    }

    private static Task ReadAsync(GrpcCaller caller, Core.Digest digest, Action reached, CancellationToken cancellationToken)
    {
        long bytes = 0;
        byte[] request = GrpcCaller.Frame(new ReadRequest { ResourceName = $"blobs/{digest.Hash}/{digest.SizeBytes}" });
        return caller.ReadAllAsync(
            Methods.Read, new ByteArrayContent(request),
            message =>
            {
                bool wasBelow = bytes < ReadBytes;
                bytes += message.Length;
                if (wasBelow && bytes >= ReadBytes) reached();
            },
            cancellationToken);
    }

    private static Task WriteAsync(GrpcCaller caller, BigBlob blob, Action reached, CancellationToken cancellationToken)
    {
        string hash = $"{Guid.NewGuid():N}{Guid.NewGuid():N}";
        return caller.ReadAllAsync(
            Methods.Write, new UploadContent($"uploads/{Guid.NewGuid()}/blobs/{hash}/{BigBlob.Bytes}", blob.Content) { Passed = (WrittenBytes, reached) },
            _ => { }, cancellationToken);
    }

    private static async Task<double> PeakMebibytesAsync(ServerProcess server)
    {
        const string Peak = "VmHWM:";
        string line = (await File.ReadAllLinesAsync($"/proc/{server.Id}/status")).Single(each => each.StartsWith(Peak, StringComparison.Ordinal));
        return double.Parse(line[Peak.Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture) / 1024;
    }
}
