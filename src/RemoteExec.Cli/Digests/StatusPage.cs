using System.Text.Json;
using System.Text.Json.Nodes;
using RemoteExec.Client;

namespace RemoteExec.Cli;

/// <summary>What the server tells about itself at its web address.</summary>
internal sealed class StatusPage(Uri http)
{
    private const int BytesMax = 64 << 20;

    private static readonly TimeSpan AnswerMax = TimeSpan.FromSeconds(10);

    /// <exception cref="PageException">There is no answer, or not one of these.</exception>
    public async Task<ServerStatus> ReadAsync(CancellationToken cancellationToken)
    {
        string text;
        try
        {
            using var client = new HttpClient { Timeout = AnswerMax, MaxResponseContentBufferSize = BytesMax };
            text = await client.GetStringAsync(new Uri(http, "/api/v1/status"), cancellationToken);
        }
        catch (HttpRequestException unreachable)
        {
            string reason = unreachable.StatusCode is { } code ? $"answers {(int)code} to the question for its status" : $"cannot be reached ({unreachable.Message.TrimEnd('.')})";
            throw new PageException($"{http} {reason}", unreachable);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new PageException($"{http} did not answer within {AnswerMax.TotalSeconds} s");
        }

        try
        {
            return new ServerStatus(JsonNode.Parse(text) as JsonObject ?? throw new InvalidOperationException("this is no object"));
        }
        catch (Exception strange) when (strange is JsonException or InvalidOperationException or FormatException or ClientException)
        {
            throw new PageException($"{http} answers, but not as this version of rexec understands it", strange);
        }
    }
}
