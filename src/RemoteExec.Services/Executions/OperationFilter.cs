using RemoteExec.Protocol;
using RemoteExec.Scheduling;

namespace RemoteExec.Services;

/// <summary>
/// ListOperations' filter (REAPI E20): words <c>key=value</c>, all of which must hold.
/// Keys: <c>stage</c>, <c>invocation</c>, <c>worker</c>, <c>target</c>.
/// </summary>
internal sealed class OperationFilter
{
    private const int LengthMax = 1024;

    private readonly List<Func<OperationSnapshot, bool>> _conditions = [];

    public static OperationFilter Parse(string text)
    {
        if (text.Length > LengthMax) throw RpcErrors.InvalidField("filter", $"filter has more than {LengthMax} characters");

        var filter = new OperationFilter();
        foreach (string word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            int equals = word.IndexOf('=', StringComparison.Ordinal);
            string key = equals < 0 ? word : word[..equals], value = equals < 0 ? "" : word[(equals + 1)..];
            filter._conditions.Add(key switch
            {
                "stage" when Enum.TryParse<OperationStage>(value, ignoreCase: true, out var stage) && !int.TryParse(value, out _) =>
                    operation => operation.Stage == stage,
                "invocation" => operation => operation.Request.Origin.ToolInvocationId == value,
                "worker" => operation => operation.WorkerId == value,
                "target" => operation => operation.Request.Origin.TargetId == value,
                _ => throw RpcErrors.InvalidField(
                    "filter", $"'{RequestOrigins.Clean(word)}' is no condition; stage=, invocation=, worker= and target= are"),
            });
        }

        return filter;
    }

    public bool Matches(OperationSnapshot operation) => _conditions.TrueForAll(condition => condition(operation));
}
