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
    private const int BlobsPerBatch = 1000;
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
        await UploadAsync(caller, cancellationToken);
        await UploadAsync(baselineCaller, cancellationToken);

        // Present and absent ones take turns, as in the inputs of a build after an edit.
        var question = new FindMissingBlobsRequest();
        for (int i = 0; i < Present; i++)
        {
            question.BlobDigests.Add(Digest.Of(DigestFunction.Sha256, Blob(i)).ToWire());
            question.BlobDigests.Add(Digest.Of(DigestFunction.Sha256, Blob(Present + i)).ToWire());
        }

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

        await server.StopAsync();
        await baseline.StopAsync();
        double median = Statistics.Median(ours.Skip(WarmUp));
        return
        [
            Measurement.Absolute("FindMissingBlobs: p50", median, "ms", Target.AtMost(5)),
            Measurement.Relative("FindMissingBlobs: p50", median, "ms", Baseline.Name, Statistics.Median(before.Skip(WarmUp)), Target.AtMost(1.0)),
        ];
    }

    private static async Task<double> MillisecondsAsync(GrpcCaller caller, byte[] frame, CancellationToken cancellationToken)
    {
        long start = TimeProvider.System.GetTimestamp();
        await caller.ReadAllAsync(Methods.FindMissingBlobs, new ByteArrayContent(frame), _ => { }, cancellationToken);
        return TimeProvider.System.GetElapsedTime(start).TotalMilliseconds;
    }

    private static async Task UploadAsync(GrpcCaller caller, CancellationToken cancellationToken)
    {
        for (int first = 0; first < Present; first += BlobsPerBatch)
        {
            var batch = new BatchUpdateBlobsRequest();
            for (int i = first; i < first + BlobsPerBatch; i++)
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
