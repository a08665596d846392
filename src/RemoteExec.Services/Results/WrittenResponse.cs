using Build.Bazel.Remote.Execution.V2;

namespace RemoteExec.Services;

/// <summary>A response while it is still a message.</summary>
/// <param name="Outputs">All that its result refers to, what is inside of trees included; not what was inlined and is stored by us.</param>
internal sealed record WrittenResponse(ExecuteResponse Response, IReadOnlyList<Digest> Outputs);
