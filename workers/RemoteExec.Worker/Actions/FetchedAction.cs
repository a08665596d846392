using RemoteExec.Protocol;

namespace RemoteExec.Worker;

/// <summary>Everything about an action that is known before anything is put on disk.</summary>
internal sealed record FetchedAction(ActionSpec Action, CommandSpec Command, InputTree Inputs, long FetchedBytes)
{
    /// <summary>Set when its inputs are in place; null where there is nothing that the command could alter.</summary>
    public InputAudit? Audit { get; init; }
}
