using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Cli;

/// <summary>
/// The three streams of the process as it was given them. Console's own send the codes of a terminal's keypad before the first byte; a
/// FileStream writes at a place of its own, over what came through another descriptor of the same file.
/// </summary>
internal static class StandardStreams
{
    private const int StandardOutput = 1, StandardError = 2;
    private const int AccessMode = 3, ReadOnly = 0; // open(2)

    public static Stream Input => OperatingSystem.IsWindows()
        ? Console.OpenStandardInput()
        : new FileStream(new SafeFileHandle(0, ownsHandle: false), FileAccess.Read, bufferSize: 0);

    public static Stream Output => OperatingSystem.IsWindows() ? Console.OpenStandardOutput() : new DescriptorStream(StandardOutput);

    public static Stream Error => OperatingSystem.IsWindows() ? Console.OpenStandardError() : new DescriptorStream(StandardError);

    /// <summary>
    /// False when the process was started without a standard input (<c>&lt;&amp;-</c>): a pipe of the runtime's own then has its number, and
    /// has no end, since we hold both ends of it.
    /// </summary>
    public static bool HasInput()
    {
        if (!OperatingSystem.IsLinux() || TargetOf("0") is not { } input) return true;

        return !input.StartsWith("pipe:", StringComparison.Ordinal) || !Directory.EnumerateFileSystemEntries("/proc/self/fd")
            .Select(Path.GetFileName).Any(descriptor => TargetOf(descriptor!) == input && IsWritable(descriptor!));
    }

    private static string? TargetOf(string descriptor)
    {
        try
        {
            return new FileInfo($"/proc/self/fd/{descriptor}").LinkTarget;
        }
        catch (IOException)
        {
            return null; // one that is closed already: that of the listing itself is
        }
    }

    private static bool IsWritable(string descriptor)
    {
        try
        {
            string flags = File.ReadLines($"/proc/self/fdinfo/{descriptor}").First(line => line.StartsWith("flags:", StringComparison.Ordinal));
            return (Convert.ToInt32(flags["flags:".Length..].Trim(), fromBase: 8) & AccessMode) != ReadOnly;
        }
        catch (IOException)
        {
            return false;
        }
    }
}
