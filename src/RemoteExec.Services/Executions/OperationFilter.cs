using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Scheduling;

namespace RemoteExec.Services;

/// <summary>
/// ListOperations' filter (REAPI E20): conditions <c>key = value</c> or <c>key != value</c>, all of which must hold, with or without spaces,
/// with or without <c>AND</c> between them. A value with spaces stands in quotes. The keys are those that clients write.
/// </summary>
internal sealed class OperationFilter
{
    private const int LengthMax = 1024;
    private const string Keys = "stage, name, command (a part of the command line), platform (NAME:VALUE), action_digest, invocation_id, "
        + "correlated_invocations_id, tool_name, target_id, action_mnemonic and worker";

    private readonly List<Func<OperationSnapshot, bool>> _conditions = [];

    public static OperationFilter Parse(string text)
    {
        if (text.Length > LengthMax) throw RpcErrors.InvalidField("filter", $"filter has more than {LengthMax} characters");

        var filter = new OperationFilter();
        var words = new FilterWords(text);
        while (words.TryReadCondition(out string key, out bool isEqual, out string value))
        {
            var holds = Condition(key, value);
            filter._conditions.Add(isEqual ? holds : operation => !holds(operation));
        }

        return filter;
    }

    public bool Matches(OperationSnapshot operation) => _conditions.TrueForAll(condition => condition(operation));

    private static Func<OperationSnapshot, bool> Condition(string key, string value) => key switch
    {
        "stage" => OfStage(value),
        "name" => operation => operation.Name == value,
        "command" => operation => operation.Request.CommandLine.Contains(value, StringComparison.Ordinal),
        "platform" => OfPlatform(value),
        "action_digest" => operation => IsDigest(operation.Request.Action, value),
        "invocation_id" or "invocation" => operation => operation.Request.Origin.ToolInvocationId == value,
        "correlated_invocations_id" => operation => operation.Request.Origin.CorrelatedInvocationsId == value,
        "tool_name" => operation => IsTool(operation.Request.Origin.ToolName, value),
        "target_id" or "target" => operation => operation.Request.Origin.TargetId == value,
        "action_mnemonic" => operation => operation.Request.Origin.ActionMnemonic == value,
        "worker" => operation => operation.WorkerId == value,
        _ => throw RpcErrors.InvalidField("filter", $"'{RequestOrigins.Clean(key)}' is no key of a filter; {Keys} are"),
    };

    /// <summary>As the protocol writes them, in any case; no numbers. Nothing that can be listed is still in CACHE_CHECK.</summary>
    private static Func<OperationSnapshot, bool> OfStage(string value) => value.ToUpperInvariant() switch
    {
        "CACHE_CHECK" => _ => false,
        "QUEUED" => operation => operation.Stage == OperationStage.Queued,
        "EXECUTING" => operation => operation.Stage == OperationStage.Executing,
        "COMPLETED" => operation => operation.Stage == OperationStage.Completed,
        _ => throw RpcErrors.InvalidField(
            "filter", $"'{RequestOrigins.Clean(value)}' is no stage; CACHE_CHECK, QUEUED, EXECUTING and COMPLETED are"),
    };

    private static Func<OperationSnapshot, bool> OfPlatform(string value)
    {
        if (value.AsSpan().IndexOfAny(':', '=') <= 0)
            throw RpcErrors.InvalidField("filter", $"'{RequestOrigins.Clean(value)}' is no platform property; NAME:VALUE is");

        return operation => operation.Request.Platform.Properties.Any(property => IsProperty(property, value));
    }

    /// <summary>Both signs may stand in a name and in a value (resource:gpu, an image): only the property knows which of them is the middle.</summary>
    private static bool IsProperty(PlatformProperty property, string value) =>
        value.Length == property.Name.Length + 1 + property.Value.Length && value[property.Name.Length] is ':' or '='
        && value.StartsWith(property.Name, StringComparison.Ordinal) && value.EndsWith(property.Value, StringComparison.Ordinal);

    /// <summary>As clients print them, and we: the hash alone, with the size, or with its function as well.</summary>
    private static bool IsDigest(Digest digest, string value)
    {
        string hash = digest.Hash;
        string written = value.Replace(':', '/');
        return written == hash || written == $"{hash}/{digest.SizeBytes}" || written == $"{digest.Function.WireName()}/{hash}/{digest.SizeBytes}";
    }

    /// <summary>We keep name and version together; who filters has the name, or both.</summary>
    private static bool IsTool(string tool, string value) =>
        tool == value || (value.Length > 0 && tool.StartsWith(value, StringComparison.Ordinal) && tool[value.Length] == ' ');
}
