using System.Globalization;
using System.Text.RegularExpressions;
using RemoteExec.EndToEnd;

namespace RemoteExec.Benchmarks;

/// <summary>
/// nghttp2's load generator: a client in C that costs far less than the server it drives, so that a rate is
/// the server's and not the client's.
/// </summary>
internal static partial class H2Load
{
    /// <summary>Requests per second, and the median time of one in milliseconds.</summary>
    public static async Task<(double Rate, double Milliseconds)> RunAsync(
        Bench bench, string address, string method, byte[] body, int inFlight, int requests)
    {
        var (rate, milliseconds) = await TimesAsync(bench, address, method, body, inFlight, requests);
        return (rate, Statistics.Median(milliseconds));
    }

    /// <summary>Requests per second, and the time of each in milliseconds.</summary>
    public static async Task<(double Rate, IReadOnlyList<double> Milliseconds)> TimesAsync(
        Bench bench, string address, string method, byte[] body, int inFlight, int requests)
    {
        string folder = bench.NewFolder("h2load");
        string bodyFile = Path.Combine(folder, "body");
        string log = Path.Combine(folder, "log");
        await File.WriteAllBytesAsync(bodyFile, body);

        string[] arguments =
        [
            "-n", $"{requests}", "-c", "1", "-m", $"{inFlight}", "-d", bodyFile, "--log-file", log,
            "-H", "content-type: application/grpc", "-H", "te: trailers", $"http://{address}/{method}",
        ];
        await using var process = ChildProcess.Start("h2load", arguments, folder, new Dictionary<string, string?>());
        int exitCode = await process.Exited;
        var finished = Finished().Match(process.Output.ToString());
        if (exitCode != 0 || !finished.Success || !process.Output.ToString().Contains($" {requests} succeeded", StringComparison.Ordinal))
            throw new InvalidOperationException($"h2load ended with {exitCode}:\n{process.Output}");

        // A line for each request: when it began, its HTTP status, its microseconds.
        var milliseconds = File.ReadLines(log)
            .Select(line => double.Parse(line.Split('\t')[2], CultureInfo.InvariantCulture) / 1000).ToList();
        return (double.Parse(finished.Groups["rate"].Value, CultureInfo.InvariantCulture), milliseconds);
    }

    [GeneratedRegex(@"finished in [^,]+, (?<rate>[0-9.]+) req/s")]
    private static partial Regex Finished();
}
