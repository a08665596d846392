using RemoteExec.Protocol;
using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker;

/// <summary>
/// What an action finds in its environment: the command's own variables, over three defaults that nearly every
/// program needs and that clients forget (REAPI X3; facebook/buck2#532 is an empty PATH). Nothing of the
/// worker's own environment gets in.
/// </summary>
internal static class ActionEnvironment
{
    private const string DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    public static List<KeyValuePair<string, string>> Build(CommandSpec command, SandboxWalls walls, WorkDirectory directory)
    {
        // Behind the walls /tmp is the action's own; without them that would be everybody's.
        string scratch = walls.HasFlag(SandboxWalls.Root) ? "/tmp" : directory.Path;
        var variables = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["PATH"] = DefaultPath,
            ["HOME"] = scratch,
            ["TMPDIR"] = scratch,
        };
        foreach (var variable in command.Environment)
            variables[variable.Name] = variable.Value;
        return [.. variables];
    }
}
