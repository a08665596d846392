using System.Collections.Concurrent;
using System.Globalization;
using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Google.Protobuf;

namespace RemoteExec.Conformance;

/// <summary>Sends mutants and judges the answers: no fault of the server's own, whatever came.</summary>
internal sealed class Fuzzer(Connection connection, int callsAtOnce)
{
    // Executions may wait for a worker that never comes, and reads of logs for what is never written: they are left.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    // A call that has an end of its own, on a machine that has other things to do.
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(60);

    /// <summary>How often each status was answered.</summary>
    public ConcurrentDictionary<RawStatus, int> Answers { get; } = [];

    /// <summary>Every mutant that was answered by a fault, each as a line.</summary>
    public Task<IReadOnlyList<string>> RunAsync(IReadOnlyList<FuzzMethod> methods, int seed, int messages, CancellationToken cancellationToken) => RunAsync(
        messages,
        number => FuzzCorpus.Make(methods, seed, number),
        number => string.Create(CultureInfo.InvariantCulture, $"seed {seed}, number {number} of {methods[0].Family}"),
        cancellationToken);

    /// <summary>The same of what is kept.</summary>
    public Task<IReadOnlyList<string>> RunAsync(IReadOnlyList<FuzzCase> kept, CancellationToken cancellationToken) =>
        RunAsync(kept.Count, number => kept[number], number => string.Create(CultureInfo.InvariantCulture, $"line {number + 1} of the kept"), cancellationToken);

    private async Task<IReadOnlyList<string>> RunAsync(int messages, Func<int, FuzzCase> make, Func<int, string> tell, CancellationToken cancellationToken)
    {
        var peer = new Peer(connection, cancellationToken);
        await peer.StoreAsync(FuzzMethods.Stored);
        var faults = new ConcurrentBag<string>();
        var options = new ParallelOptions { MaxDegreeOfParallelism = callsAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, messages, options, async (number, cancelled) =>
        {
            var mutant = make(number);
            if (await FaultAsync(peer, mutant, cancelled) is { } fault)
                faults.Add($"{mutant.Method.Name}, {tell(number)}: {fault}; to keep it: {KeptCorpus.Format(mutant)}");
        });

        // And after all that it serves.
        var honest = await peer.StoreAsync(Peer.Random(1000));
        if (!await peer.HasAsync(honest.Digest)) faults.Add("the honest call behind them found nothing");
        return [.. faults.Order(StringComparer.Ordinal)];
    }

    private async Task<string?> FaultAsync(Peer peer, FuzzCase mutant, CancellationToken cancellationToken)
    {
        bool mayWait = mutant.Method.Family == "execution" || mutant.Method.Name.EndsWith("/Read", StringComparison.Ordinal) || mutant.Method.Name.EndsWith("/WaitOperation", StringComparison.Ordinal);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            await peer.StoreAsync([.. mutant.Blobs.Select(content => Blob.Of(content))]);
            deadline.CancelAfter(mayWait ? Patience : AnswerWithin);
            var (status, detail, answer) = await connection.Raw.CallFramesAsync(mutant.Method.Name, mutant.Body, [], deadline.Token);
            Answers.AddOrUpdate(status, 1, (_, count) => count + 1);
            if (status is RawStatus.Unknown or RawStatus.DataLoss) return $"{status}: {detail}";
            // gRPC's own code for what is no frame at all: a flag that does not fit, a message that ends in the middle, or two for one (compression.md, statuscodes.md).
            if (status == RawStatus.Internal && mutant.IsFramed) return $"{status}: {detail}";
            return mutant.Method.Family == "execution" && status == RawStatus.Ok ? FaultOf(answer) : null;
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return mayWait ? null : "no answer";
        }
        catch (HttpRequestException failure)
        {
            return failure.Message;
        }
    }

    /// <summary>An execution's own fault is in its response.</summary>
    private static string? FaultOf(byte[] answer)
    {
        Operation? last = null;
        for (int at = 0; at < answer.Length;)
        {
            int length = System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(answer.AsSpan(at + 1));
            last = Operation.Parser.ParseFrom(answer, at + RawClient.PrefixBytes, length);
            at += RawClient.PrefixBytes + length;
        }

        if (last is not { Done: true }) return "the stream ended before the operation";
        var status = last.Response.Unpack<ExecuteResponse>().Status;
        return (RawStatus)(status?.Code ?? 0) is RawStatus.Internal or RawStatus.Unknown ? $"the execution ended with {StatusNames.Of(status!.Code)}: {status.Message}" : null;
    }
}
