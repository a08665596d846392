using System.Diagnostics;
using NUnit.Framework;

namespace RemoteExec.Testing;

/// <summary><c>promtool check metrics</c>, of Debian's package prometheus.</summary>
internal static class Promtool
{
    /// <summary>It has nothing to say about the page.</summary>
    public static async Task ShouldTakeAsync(string page)
    {
        using var promtool = Process.Start(new ProcessStartInfo("promtool", ["check", "metrics"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!; // no shell
        await promtool.StandardInput.WriteAsync(page);
        promtool.StandardInput.Close();
        string[] said = await Task.WhenAll(promtool.StandardOutput.ReadToEndAsync(), promtool.StandardError.ReadToEndAsync());
        await promtool.WaitForExitAsync();

        Assert.That((promtool.ExitCode, string.Concat(said)), Is.EqualTo((0, "")));
    }
}
