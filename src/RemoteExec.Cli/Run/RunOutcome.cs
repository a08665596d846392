using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf.WellKnownTypes;

namespace RemoteExec.Cli;

/// <summary>How a run ended, and what came of it.</summary>
internal sealed partial record RunOutcome
{
    public required Digest Action { get; init; }

    public required string Operation { get; init; }

    public required int ExitCode { get; init; }

    public required ExecuteResponse Response { get; init; }

    /// <summary>Announced outputs that the command did not write.</summary>
    public required IReadOnlyList<string> Missing { get; init; }

    /// <summary>What was wrong with its output or its outputs, a sentence each.</summary>
    public required IReadOnlyList<string> Losses { get; init; }

    public required int Files { get; init; }

    public ActionResult Result => Response.Result ?? new ActionResult();

    public bool IsWhole => Missing.Count == 0 && Losses.Count == 0;

    /// <summary>The page of this execution, or empty.</summary>
    public string Link => Address().Match(Response.Message) is { Success: true } found ? found.Value : "";

    public JsonObject ToRow()
    {
        var times = Result.ExecutionMetadata ?? new ExecutedActionMetadata();
        return new JsonObject
        {
            ["action"] = Action.ToString(),
            ["operation"] = Operation,
            ["exitCode"] = ExitCode,
            ["cached"] = Response.CachedResult,
            ["complete"] = IsWhole,
            ["worker"] = times.Worker,
            ["stdout"] = ActionText.Name(Result.StdoutDigest, Action.Function),
            ["stderr"] = ActionText.Name(Result.StderrDigest, Action.Function),
            ["outputs"] = ActionText.Outputs(Result, Action.Function),
            ["missing"] = new JsonArray([.. Missing.Select(path => (JsonNode?)path)]),
            ["losses"] = new JsonArray([.. Losses.Select(loss => (JsonNode?)loss)]),
            ["files"] = Files,
            ["queueSeconds"] = Seconds(times.QueuedTimestamp, times.WorkerStartTimestamp),
            ["fetchSeconds"] = Seconds(times.InputFetchStartTimestamp, times.InputFetchCompletedTimestamp),
            ["runSeconds"] = Seconds(times.ExecutionStartTimestamp, times.ExecutionCompletedTimestamp),
            ["uploadSeconds"] = Seconds(times.OutputUploadStartTimestamp, times.OutputUploadCompletedTimestamp),
            ["message"] = Response.Message,
            ["link"] = Link,
        };
    }

    /// <summary>One sentence about a command that failed; what the server says about it only where that is more than we know.</summary>
    public string FailureText()
    {
        string signal = ExitCode is > 128 and < 160 ? $", as after signal {ExitCode - 128}" : "";
        string message = Response.Message;
        bool saysNoMore = message.Length == 0 || message == Link || message.Contains($"exit code {ExitCode}", StringComparison.Ordinal);
        string more = saysNoMore ? Link.Length > 0 ? $" - {Link}" : "" : $": {message}";
        return $"the command ended with exit code {ExitCode}{signal}{more}";
    }

    private static double? Seconds(Timestamp? from, Timestamp? to) =>
        from is null || to is null ? null : Math.Max(0, Math.Round((to.ToDateTimeOffset() - from.ToDateTimeOffset()).TotalSeconds, 6));

    [GeneratedRegex(@"https?://\S+")]
    private static partial Regex Address();
}
