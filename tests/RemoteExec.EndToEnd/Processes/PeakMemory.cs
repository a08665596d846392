using System.Globalization;

namespace RemoteExec.EndToEnd;

/// <summary>The most memory that a process had resident (proc(5), VmHWM), ever or since it was begun anew.</summary>
internal static class PeakMemory
{
    public static long BytesOf(int process) => Read(process, "VmHWM:");

    /// <summary>Begins anew (proc(5), clear_refs); answers what is resident now.</summary>
    public static long Reset(int process)
    {
        File.WriteAllText($"/proc/{process}/clear_refs", "5");
        return Read(process, "VmRSS:");
    }

    private static long Read(int process, string name)
    {
        string line = File.ReadLines($"/proc/{process}/status").Single(each => each.StartsWith(name, StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
    }
}
