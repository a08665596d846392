using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Cli;

/// <summary>
/// The three streams of the process as it was given them. Console's own send the codes of a terminal's keypad before the first byte; a
/// FileStream writes at a place of its own, over what came through another descriptor of the same file.
/// </summary>
internal static class StandardStreams
{
    private const int StandardOutput = 1, StandardError = 2;

    public static Stream Input => OperatingSystem.IsWindows()
        ? Console.OpenStandardInput()
        : new FileStream(new SafeFileHandle(0, ownsHandle: false), FileAccess.Read, bufferSize: 0);

    public static Stream Output => OperatingSystem.IsWindows() ? Console.OpenStandardOutput() : new DescriptorStream(StandardOutput);

    public static Stream Error => OperatingSystem.IsWindows() ? Console.OpenStandardError() : new DescriptorStream(StandardError);
}
