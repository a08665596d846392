using System.Text;

namespace RemoteExec.Cli;

/// <summary>
/// Text of a <see cref="TransferBar"/> on its way to the terminal. The cursor stays where it can be seen: a second Ctrl-C leaves at once,
/// and nobody would bring it back.
/// </summary>
internal sealed class TerminalWriter(Stream to) : TextWriter
{
    private const string HideCursor = "\e[?25l", ShowCursor = "\e[?25h";

    public override Encoding Encoding => Encoding.UTF8;

    public override void Write(char value) => Write(value.ToString());

    public override void Write(string? value)
    {
        string text = (value ?? "").Replace(HideCursor, "", StringComparison.Ordinal).Replace(ShowCursor, "", StringComparison.Ordinal);
        to.Write(Encoding.UTF8.GetBytes(text));
    }

    public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));
}
