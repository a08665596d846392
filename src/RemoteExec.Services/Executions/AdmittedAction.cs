using RemoteExec.Protocol;

namespace RemoteExec.Services;

/// <summary>An action that may be queued: well formed, with all its inputs stored.</summary>
internal sealed record AdmittedAction(ActionSpec Action, CommandSpec Command, Platform Platform);
