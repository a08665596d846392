using System.Runtime.InteropServices;

namespace RemoteExec.Worker;

/// <summary>A system call that failed, with the name it was about: the message is for an operator.</summary>
internal sealed class FileSystemException(string step, string name, int error)
    : IOException($"{step} {Printable.Quote(name)}: {Marshal.GetPInvokeErrorMessage(error)}")
{
    public int Error { get; } = error;

    public static FileSystemException Last(string step, string name) => new(step, name, Marshal.GetLastPInvokeError());
}
