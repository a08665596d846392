using Build.Bazel.Remote.Execution.V2;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// What a client may wish of a result that is stored (REAPI ResultsCachePolicy.priority, A6): to be kept longer than others, like all others, or for less. More than that is
/// not told apart.
/// </summary>
internal static class ResultPriority
{
    /// <summary>Each with what it is for.</summary>
    public static PriorityCapabilities Announced => new()
    {
        Priorities = { Range(int.MinValue, -1), Range(0, 0), Range(1, int.MaxValue) },
    };

    public static PromiseKind ToPromise(int priority) => priority switch
    {
        < 0 => PromiseKind.Long,
        0 => PromiseKind.Use,
        > 0 => PromiseKind.Brief,
    };

    private static PriorityCapabilities.Types.PriorityRange Range(int min, int max) => new() { MinPriority = min, MaxPriority = max };
}
