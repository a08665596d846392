namespace RemoteExec.Files;

/// <summary>A system call that failed: the message, for an operator, says what was tried and in the kernel's words why not.</summary>
/// <param name="what">Step and name; a name that a stranger chose has been made printable.</param>
/// <param name="errno">Also the <see cref="Exception.HResult"/>, as in the base library's exceptions.</param>
public sealed class FileSystemException(string what, int errno) : IOException($"{what}: {RemoteExec.Files.Errno.Sentence(errno)}", errno)
{
    public int Errno => HResult;
}
