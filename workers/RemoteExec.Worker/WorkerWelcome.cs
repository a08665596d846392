using System.Text;
using RemoteExec.Core;
using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker;

/// <summary>What a starting worker tells the person who started it: whom it serves, what it offers, what it enforces.</summary>
internal static class WorkerWelcome
{
    public static string Text(WorkerOptions options, IReadOnlyList<HostPort> coordinators, IReadOnlyList<SandboxWall> walls)
    {
        var text = new StringBuilder();
        text.AppendLine($"  Worker      {options.WorkerId}, {options.Slots} slots, pool {options.Pool}");
        text.AppendLine($"  Coordinator {string.Join(", ", coordinators)}");
        text.AppendLine($"  Offers      {string.Join(" ", WorkerProperties.Offered(options))}");
        text.Append("  Sandbox     ");
        text.AppendJoin(' ', walls.Select(wall => $"{wall.Name} {(wall.Enforced ? "✓" : "✗")}"));
        foreach (var wall in walls.Where(wall => !wall.Enforced))
            text.AppendLine().Append($"              no {wall.Name}: {wall.Reason}");
        return text.ToString();
    }
}
