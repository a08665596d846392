using System.Runtime.InteropServices;

namespace RemoteExec.Worker;

/// <summary>The platform properties that a worker offers (REAPI platform.md: OSFamily, ISA; Pool is ours).</summary>
internal static class WorkerProperties
{
    public static List<PlatformProperty> Offered(WorkerOptions options)
    {
        PlatformProperty[] defaults =
        [
            new("OSFamily", OperatingSystem.IsLinux() ? "linux" : OperatingSystem.IsMacOS() ? "macos" : "windows"),
            new("ISA", RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "arm-a64" : "x86-64"),
            new("Pool", options.Pool),
        ];
        var offered = new List<PlatformProperty>(options.Properties);
        offered.AddRange(defaults.Where(property => !options.Properties.Any(given => given.Name == property.Name)));
        offered.Sort();
        return offered;
    }
}
