using System.Diagnostics;
using NUnit.Framework;
using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker.Tests.Sandbox;

[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class SandboxProbeTests
{
    [Test]
    public async Task The_probe_names_every_wall_once()
    {
        var probe = await SandboxProbe.RunAsync(new SandboxLauncherOptions(), CancellationToken.None);
        Assert.That(probe.Walls.Aggregate(SandboxWalls.None, (all, wall) => all | wall.Wall), Is.EqualTo(SandboxWalls.All));
        Assert.That(probe.Walls, Has.Count.EqualTo(8));
        Assert.That(probe.Walls.Where(wall => !wall.Enforced).Select(wall => wall.Reason), Is.All.Not.Empty);
    }

    [Test]
    public async Task A_launcher_that_cannot_run_enforces_nothing_and_says_why()
    {
        var options = new SandboxLauncherOptions { LauncherPath = "/no/such/launcher" };
        var probe = await SandboxProbe.RunAsync(options, CancellationToken.None);
        Assert.That(probe.Enforced, Is.EqualTo(SandboxWalls.None));
        Assert.That(probe.Walls.Select(wall => wall.Reason), Is.All.Contains("/no/such/launcher"));
    }

    [Test]
    public async Task Without_root_every_wall_but_the_limits_stands_where_user_namespaces_are_allowed()
    {
        if (!Environment.IsPrivilegedProcess) Assert.Ignore("only root can become somebody else");
        // Somebody else must be able to execute it, and the build tree may be private.
        var directory = Directory.CreateTempSubdirectory("sandbox-nobody-");
        try
        {
            string launcher = Path.Combine(directory.FullName, "rexec-sandbox");
            File.Copy(new SandboxLauncherOptions().LauncherPath, launcher);
            File.SetUnixFileMode(directory.FullName, (UnixFileMode)0b111_101_101);
            var start = new ProcessStartInfo("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", launcher, "--probe"])
            {
                RedirectStandardOutput = true,
            };
            using var process = Process.Start(start)!;
            string text = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            var walls = text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(SandboxProbe.Parse).ToArray();
            if (walls.Any(wall => wall is { Wall: SandboxWalls.User, Enforced: false })) Assert.Ignore("this kernel refuses user namespaces");
            Assert.That(walls.Where(wall => !wall!.Enforced).Select(wall => wall!.Wall), Is.SubsetOf(new[] { SandboxWalls.Limits }), text);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }
}
