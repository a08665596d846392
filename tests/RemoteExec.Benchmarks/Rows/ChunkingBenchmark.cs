using RemoteExec.Core;
using RemoteExec.Storage;

namespace RemoteExec.Benchmarks;

/// <summary>Where 1 GiB in memory is cut, on one core, alone and with each chunk's BLAKE3.</summary>
internal sealed class ChunkingBenchmark : IBenchmark
{
    private const int Rounds = 5;
    private const double Gigabytes = BigBlob.Bytes / 1e9;

    public string Name => "chunking";

    public Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        var blob = new BigBlob();
        var rows = new List<Measurement>();
        foreach (var (name, chunker) in ((string, IChunker)[])[("FastCDC 2020", new FastCdc2020()), ("RepMaxCDC", new RepMaxCdc())])
        {
            rows.Add(Measurement.Absolute($"{name}: cuts", Speed(_ => { }), "GB/s", Target.AtLeast(2)));
            rows.Add(Measurement.Absolute($"{name}: cuts and BLAKE3", Speed(chunk => Digest.Of(DigestFunction.Blake3, chunk)), "GB/s", Target.AtLeast(1)));

            double Speed(ChunkWork work)
            {
                var seconds = new List<double>();
                // The first round is not counted: it is when everything is compiled.
                for (int round = 0; round <= Rounds; round++)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    long start = TimeProvider.System.GetTimestamp();
                    CutAll(chunker, blob.Content.Span, work);
                    if (round > 0) seconds.Add(TimeProvider.System.GetElapsedTime(start).TotalSeconds);
                }

                return Gigabytes / Statistics.Median(seconds);
            }
        }

        return Task.FromResult<IReadOnlyList<Measurement>>(rows);
    }

    private static void CutAll(IChunker chunker, ReadOnlySpan<byte> rest, ChunkWork work)
    {
        while (chunker.Next(rest, isLast: true) is var bytes and > 0)
        {
            work(rest[..bytes]);
            rest = rest[bytes..];
        }
    }

    private delegate void ChunkWork(ReadOnlySpan<byte> chunk);
}
