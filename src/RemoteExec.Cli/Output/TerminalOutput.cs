using System.Text;
using Spectre.Console;

namespace RemoteExec.Cli;

/// <summary>The terminal of a <see cref="TransferBar"/>. Asking the base library for its size would send codes to standard output.</summary>
internal sealed class TerminalOutput(TextWriter writer) : IAnsiConsoleOutput
{
    public TextWriter Writer => writer;

    public bool IsTerminal => true;

    // Every terminal has this many columns; a bar has no use for more.
    public int Width => 80;

    public int Height => 24;

    public void SetEncoding(Encoding encoding)
    {
        // UTF-8 it is, and stays.
    }
}
