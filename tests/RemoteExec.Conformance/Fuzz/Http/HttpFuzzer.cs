using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

namespace RemoteExec.Conformance;

/// <summary>Sends mutants over HTTP/1.1, a connection for each, and judges the answers: no fault of the server's own, and an end of every connection.</summary>
/// <param name="address">HOST:PORT of a server's HTTP port.</param>
internal sealed partial class HttpFuzzer(string address, int callsAtOnce)
{
    // More than any limit of a server's on what it waits for.
    private static readonly TimeSpan EndWithin = TimeSpan.FromMinutes(3);

    /// <summary>How often each status was answered; 0 is a connection that was closed without.</summary>
    public ConcurrentDictionary<int, int> Answers { get; } = [];

    /// <summary>What can have had no effect: it was refused, or had no end.</summary>
    public ConcurrentBag<HttpMutant> Refused { get; } = [];

    /// <summary>Every mutant that was answered by a fault, each as a line.</summary>
    public Task<IReadOnlyList<string>> RunAsync(IReadOnlyList<HttpRoute> routes, int seed, int messages, CancellationToken cancellationToken) => RunAsync(
        messages,
        number => HttpCorpus.Make(routes, address, seed, number),
        number => string.Create(CultureInfo.InvariantCulture, $"seed {seed}, number {number} of {routes[0].Family}"),
        cancellationToken);

    /// <summary>The same of what another server had.</summary>
    public Task<IReadOnlyList<string>> RunAsync(IReadOnlyList<HttpMutant> mutants, CancellationToken cancellationToken) =>
        RunAsync(mutants.Count, number => mutants[number], number => string.Create(CultureInfo.InvariantCulture, $"number {number} of those"), cancellationToken);

    private async Task<IReadOnlyList<string>> RunAsync(int messages, Func<int, HttpMutant> make, Func<int, string> tell, CancellationToken cancellationToken)
    {
        var faults = new ConcurrentBag<string>();
        var options = new ParallelOptions { MaxDegreeOfParallelism = callsAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, messages, options, async (number, cancelled) =>
        {
            var mutant = make(number);
            if (await FaultAsync(mutant, cancelled) is { } fault) faults.Add($"{tell(number)}: {fault}: {mutant}");
        });

        if (await HonestAsync(cancellationToken) is { } broken) faults.Add(broken);
        return [.. faults.Order(StringComparer.Ordinal)];
    }

    private async Task<string?> FaultAsync(HttpMutant mutant, CancellationToken cancellationToken)
    {
        if (await SendAsync(mutant, cancellationToken) is not { } answer) return "the connection does not end";

        int status = StatusOf(answer);
        Answers.AddOrUpdate(status, 1, (_, count) => count + 1);
        if (status >= 400 || mutant.Wholeness == HttpWholeness.CutShort) Refused.Add(mutant);
        return status switch
        {
            0 when answer.Length > 0 => $"no HTTP: {answer[..Math.Min(answer.Length, 100)]}",
            0 when mutant.IsAnswered => "no answer",
            500 => "500",
            // A stream that breaks says so in its last line, and a batch in its entry; google.rpc.Code: UNKNOWN, INTERNAL, DATA_LOSS.
            _ when Fault().IsMatch(answer) => answer[..Math.Min(answer.Length, 1000)],
            _ => null,
        };
    }

    /// <summary>All that comes, and empty when nothing does; null when there is no end of it.</summary>
    private async Task<string?> SendAsync(HttpMutant mutant, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(EndWithin);
        string[] place = address.Split(':');
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using var answer = new MemoryStream();
        try
        {
            await socket.ConnectAsync(place[0], int.Parse(place[1], CultureInfo.InvariantCulture), deadline.Token);
            await using var stream = new NetworkStream(socket, ownsSocket: false);
            await stream.WriteAsync(mutant.Bytes, deadline.Token);
            // Nothing more comes: without that a server rightly waits for the rest.
            if (mutant.Wholeness != HttpWholeness.Whole) socket.Shutdown(SocketShutdown.Send);
            await stream.CopyToAsync(answer, deadline.Token);
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return null;
        }
        catch (Exception reset) when (reset is IOException or SocketException)
        {
            // That is an end too.
        }

        return Encoding.Latin1.GetString(answer.ToArray());
    }

    /// <summary>Behind 100 Continue.</summary>
    private static int StatusOf(string answer) =>
        StatusLines().Matches(answer).Select(line => int.Parse(line.Groups["status"].Value, CultureInfo.InvariantCulture)).FirstOrDefault(status => status >= 200);

    /// <summary>And after all that it serves: a blob comes back by its hash.</summary>
    private async Task<string?> HonestAsync(CancellationToken cancellationToken)
    {
        using var http = new HttpClient { BaseAddress = new Uri($"http://{address}"), Timeout = EndWithin };
        var blob = Blob.Of(Peer.Random(1000));
        var path = new Uri($"/cas/{blob.Digest.Hash}", UriKind.Relative);
        using var put = await http.PutAsync(path, new ByteArrayContent(blob.Content), cancellationToken);
        if (!put.IsSuccessStatusCode) return $"the honest upload behind them: {put.StatusCode}";
        byte[] read = await http.GetByteArrayAsync(path, cancellationToken);
        return read.AsSpan().SequenceEqual(blob.Content) ? null : "the honest download behind them has other bytes";
    }

    [GeneratedRegex("""^HTTP/1\.1 (?<status>\d{3}) """, RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex StatusLines();

    [GeneratedRegex("\"code\": ?(2|13|15)\\b", RegexOptions.ExplicitCapture)]
    private static partial Regex Fault();
}
