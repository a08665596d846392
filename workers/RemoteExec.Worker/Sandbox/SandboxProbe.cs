namespace RemoteExec.Worker.Sandbox;

/// <summary>What this machine can enforce, found by building each wall once.</summary>
public sealed class SandboxProbe
{
    private SandboxProbe(IReadOnlyList<SandboxWall> walls) => Walls = walls;

    public IReadOnlyList<SandboxWall> Walls { get; }

    /// <summary>Every wall that stands: what the worker advertises, and the most that a spec may ask for.</summary>
    public SandboxWalls Enforced =>
        Walls.Where(wall => wall.Enforced).Aggregate(SandboxWalls.None, (all, wall) => all | wall.Wall);

    /// <summary>Runs <c>rexec-sandbox --probe</c>. A launcher that cannot run enforces nothing, and the reason says so.</summary>
    public static async Task<SandboxProbe> RunAsync(SandboxLauncherOptions options, CancellationToken cancellationToken)
    {
        string[] lines;
        try
        {
            lines = await ReadLinesAsync(options, cancellationToken);
        }
        catch (System.ComponentModel.Win32Exception error)
        {
            return new SandboxProbe([.. AllWalls.Select(wall =>
                new SandboxWall(NameOf(wall), wall, Enforced: false, $"{options.LauncherPath}: {error.Message}"))]);
        }

        var found = lines.Select(Parse).OfType<SandboxWall>().ToDictionary(wall => wall.Wall);
        return new SandboxProbe([.. AllWalls.Select(wall => found.GetValueOrDefault(wall)
            ?? new SandboxWall(NameOf(wall), wall, Enforced: false, "the launcher's probe ended before it"))]);
    }

    private static IEnumerable<SandboxWalls> AllWalls =>
        Enum.GetValues<SandboxWalls>().Where(wall => System.Numerics.BitOperations.IsPow2((uint)wall));

    private static string NameOf(SandboxWalls wall) => wall.ToString().ToLowerInvariant();

    private static async Task<string[]> ReadLinesAsync(SandboxLauncherOptions options, CancellationToken cancellationToken)
    {
        var start = SandboxLauncher.StartInfo(options, "--probe");
        start.RedirectStandardOutput = true;
        using var process = System.Diagnostics.Process.Start(start)!; // null only with UseShellExecute
        try
        {
            var text = await process.StandardOutput.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            return text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw;
        }
    }

    /// <summary>One line is <c>bit TAB enforced TAB name TAB reason</c>, for example <c>8\tyes\tnetwork\t</c>.</summary>
    internal static SandboxWall? Parse(string line)
    {
        var fields = line.Split('\t');
        return fields.Length == 4 && uint.TryParse(fields[0], out uint bit)
            ? new SandboxWall(fields[2], (SandboxWalls)bit, fields[1] == "yes", fields[3])
            : null;
    }
}
