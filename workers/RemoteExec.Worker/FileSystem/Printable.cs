using RemoteExec.Core;

namespace RemoteExec.Worker;

/// <summary>Names as they may appear in messages: an action chooses its file names.</summary>
internal static class Printable
{
    private const int NameBytesMax = 200;

    public static string Quote(string name) => PrintableText.Quote(name, NameBytesMax);
}
