using System.Globalization;

namespace RemoteExec.EndToEnd;

/// <summary>The most memory that a process ever had resident (proc(5), VmHWM).</summary>
internal static class PeakMemory
{
    public static long BytesOf(int process)
    {
        string line = File.ReadLines($"/proc/{process}/status").Single(each => each.StartsWith("VmHWM:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
    }
}
