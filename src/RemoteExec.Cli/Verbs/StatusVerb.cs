using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using RemoteExec.Client;
using RemoteExec.Hosting;

namespace RemoteExec.Cli;

/// <summary><c>rexec status</c>: queue, workers and storage of a server at a glance.</summary>
internal static class StatusVerb
{
    private static readonly TimeSpan AnswerMax = TimeSpan.FromSeconds(10);

    public static Command Create(ServerOptions server, CliConsole console)
    {
        var http = new Option<string?>("--http") { Description = "the server's HTTP address; the gRPC port plus one when left out", HelpName = "URL" };
        var json = new Option<bool>("--json") { Description = "print the JSON as the server sent it" };
        var verb = new Command("status", "Shows the queue, the workers and the storage.") { http, json };
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            using var remote = server.Connect(parsed);
            var address = parsed.GetValue(http) is { } given ? Parse(given) : new Uri($"http://{remote.Address.Host}:{remote.Address.Port + 1}");
            string text;
            try
            {
                using var client = new HttpClient { Timeout = AnswerMax };
                text = await client.GetStringAsync(new Uri(address, "/api/v1/status"), cancellationToken);
            }
            catch (HttpRequestException unreachable)
            {
                console.Say($"{address} does not answer: {unreachable.Message}. Is the server running? Name its HTTP address with --http");
                return ExitCode.Unavailable;
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                console.Say($"{address} did not answer within {AnswerMax.TotalSeconds} s. Name the server's HTTP address with --http");
                return ExitCode.Unavailable;
            }

            if (parsed.GetValue(json))
            {
                console.Print(text);
                return ExitCode.Done;
            }

            try
            {
                using var status = JsonDocument.Parse(text);
                Print(status.RootElement, console);
                return ExitCode.Done;
            }
            catch (Exception strange) when (strange is JsonException or KeyNotFoundException or InvalidOperationException)
            {
                console.Say($"{address} answers, but not as this version of rexec understands it; see its answer with --json");
                return ExitCode.Unavailable;
            }
        });
        return verb;
    }

    private static Uri Parse(string text) => Uri.TryCreate(text, UriKind.Absolute, out var address) && address.Scheme is ("http" or "https")
        ? address
        : throw new ClientException($"--http {text} is not an address; write http://HOST:PORT");

    private static void Print(JsonElement status, CliConsole console)
    {
        var storage = status.GetProperty("storage");
        console.Print($"version   {status.GetProperty("version")}, up {TimeSpan.FromSeconds(Math.Floor(status.GetProperty("uptimeSeconds").GetDouble())):c}");
        console.Print($"queue     {status.GetProperty("queued")} queued, {status.GetProperty("running")} running, {status.GetProperty("operationsCompleted")} completed");
        console.Print($"storage   {Bytes(storage.GetProperty("bytes"))} of {Bytes(storage.GetProperty("limitBytes"))} in {storage.GetProperty("blobs")} blobs");
        foreach (var worker in status.GetProperty("workers").EnumerateArray())
        {
            var open = worker.GetProperty("walls").EnumerateArray().Where(wall => !wall.GetProperty("enforced").GetBoolean())
                .Select(wall => wall.GetProperty("name").GetString());
            string walls = string.Join(",", open);
            console.Print($"worker    {worker.GetProperty("id")}  {worker.GetProperty("state")}  {worker.GetProperty("slotsUsed")}/{worker.GetProperty("slots")} slots"
                + (walls.Length > 0 ? $"  without walls: {walls}" : ""));
        }
    }

    private static string Bytes(JsonElement count) =>
        string.Create(CultureInfo.InvariantCulture, $"{count.GetInt64() / (1024.0 * 1024):N1} MiB");
}
