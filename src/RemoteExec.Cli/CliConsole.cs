using System.Text;

namespace RemoteExec.Cli;

/// <summary>Standard output for data, standard error for messages, so that a script can have the one without the other.</summary>
internal sealed class CliConsole(Stream output, Stream error, bool isErrorRedirected)
{
    public Stream Output { get; } = output;

    public Stream Error { get; } = error;

    /// <summary>Nobody watches: leave progress out.</summary>
    public bool IsQuiet { get; } = isErrorRedirected;

    /// <summary>One line for a person.</summary>
    public void Say(string message)
    {
        Error.Write(Encoding.UTF8.GetBytes(message + "\n"));
        Error.Flush();
    }

    /// <summary>One line of data.</summary>
    public void Print(string line)
    {
        Output.Write(Encoding.UTF8.GetBytes(line + "\n"));
        Output.Flush();
    }
}
