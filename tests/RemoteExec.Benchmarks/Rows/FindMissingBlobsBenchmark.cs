using System.Text;
using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using RemoteExec.Core;
using RemoteExec.Protocol;
using Digest = RemoteExec.Core.Digest;
using DigestFunction = RemoteExec.Core.DigestFunction;

namespace RemoteExec.Benchmarks;

/// <summary>The question that a client asks before every upload, in its largest usual size, to this server and to an earlier one in turn.</summary>
internal sealed class FindMissingBlobsBenchmark : IBenchmark
{
    private const int Digests = 10_000;
    private const int Present = Digests / 2;
    private const int Many = 1_000_000;
    private const int BlobsPerBatch = 1000;
    private const int Callers = 8;
    // Until the runtime has compiled anew what is used often: after some thirty calls it counts for a while what they do, which is slow,
    // and compiles behind them.
    private const int WarmUp = 400;
    private const int Rounds = 100;

    public string Name => "findmissing";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        await using var server = await bench.StartServerAsync();
        await using var baseline = await bench.StartBaselineAsync();
        using var caller = new GrpcCaller(server.GrpcAddress);
        using var baselineCaller = new GrpcCaller(baseline.GrpcAddress);
        await UploadAsync(caller, 0, Present, cancellationToken);
        await UploadAsync(baselineCaller, 0, Present, cancellationToken);

        var question = Question(i => i, i => Present + i);
        var answer = await caller.UnaryAsync(Methods.FindMissingBlobs, question, FindMissingBlobsResponse.Parser, cancellationToken);
        if (answer.MissingBlobDigests.Count != Digests - Present)
            throw new InvalidDataException($"{answer.MissingBlobDigests.Count} of {Digests} missing, expected {Digests - Present}");

        byte[] frame = GrpcCaller.Frame(question);
        var (ours, before) = (new List<double>(), new List<double>());
        for (int round = 0; round < WarmUp + Rounds; round++)
        {
            before.Add(await MillisecondsAsync(baselineCaller, frame, cancellationToken));
            ours.Add(await MillisecondsAsync(caller, frame, cancellationToken));
        }

        await baseline.StopAsync();
        double median = Statistics.Median(ours.Skip(WarmUp));
        double amongMany = await AmongManyAsync(caller, cancellationToken);
        await server.StopAsync();
        return
        [
            Measurement.Absolute($"FindMissingBlobs: p50, {Many} in the index", amongMany, "ms", Target.AtMost(3)),
            Measurement.Relative("FindMissingBlobs: p50", median, "ms", Baseline.Name, Statistics.Median(before.Skip(WarmUp)), Target.AtMost(1.0)),
        ];
    }

    /// <summary>Other ones each time: those of the last question are still in the caches of the processor.</summary>
    private static async Task<double> AmongManyAsync(GrpcCaller caller, CancellationToken cancellationToken)
    {
        await Parallel.ForAsync(0, Callers, cancellationToken, async (part, token) =>
            await UploadAsync(caller, Math.Max(Present, part * (Many / Callers)), (part + 1) * (Many / Callers), token));
        var random = new Random(1);
        // Before anything is measured: to make a question takes longer than to answer it, and drives the server's memory out of the caches.
        var frames = Enumerable.Range(0, Rounds).Select(_ => GrpcCaller.Frame(Question(_ => random.Next(Many), i => Many + i))).ToList();
        var times = new List<double>();
        foreach (byte[] frame in frames) times.Add(await MillisecondsAsync(caller, frame, cancellationToken));
        return Statistics.Median(times);
    }

    /// <summary>Present and absent ones take turns, as in the inputs of a build after an edit.</summary>
    private static FindMissingBlobsRequest Question(Func<int, int> present, Func<int, int> absent)
    {
        var question = new FindMissingBlobsRequest();
        for (int i = 0; i < Present; i++)
        {
            question.BlobDigests.Add(Digest.Of(DigestFunction.Sha256, Blob(present(i))).ToWire());
            question.BlobDigests.Add(Digest.Of(DigestFunction.Sha256, Blob(absent(i))).ToWire());
        }

        return question;
    }

    private static async Task<double> MillisecondsAsync(GrpcCaller caller, byte[] frame, CancellationToken cancellationToken)
    {
        long start = TimeProvider.System.GetTimestamp();
        await caller.ReadAllAsync(Methods.FindMissingBlobs, new ByteArrayContent(frame), _ => { }, cancellationToken);
        return TimeProvider.System.GetElapsedTime(start).TotalMilliseconds;
    }

    private static async Task UploadAsync(GrpcCaller caller, int start, int end, CancellationToken cancellationToken)
    {
        for (int first = start; first < end; first += BlobsPerBatch)
        {
            var batch = new BatchUpdateBlobsRequest();
            for (int i = first; i < Math.Min(end, first + BlobsPerBatch); i++)
            {
                batch.Requests.Add(new BatchUpdateBlobsRequest.Types.Request
                {
                    Digest = Digest.Of(DigestFunction.Sha256, Blob(i)).ToWire(),
                    Data = ByteString.CopyFrom(Blob(i)),
                });
            }

            await caller.UnaryAsync(Methods.BatchUpdateBlobs, batch, BatchUpdateBlobsResponse.Parser, cancellationToken);
        }
    }

    private static byte[] Blob(int number) => Encoding.ASCII.GetBytes($"blob {number} of a benchmark");
}
