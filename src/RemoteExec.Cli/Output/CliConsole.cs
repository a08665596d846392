using System.Text;

namespace RemoteExec.Cli;

/// <summary>Standard output for data, standard error for messages, so that a script can have the one without the other.</summary>
internal sealed class CliConsole(Stream output, Stream error)
{
    public Stream Output { get; } = output;

    public Stream Error { get; } = error;

    /// <summary>Standard input, when something other than a terminal stands there.</summary>
    public Stream? Input { get; init; }

    /// <summary>Somebody watches standard error: show progress. Nothing of it goes anywhere else.</summary>
    public bool IsWatched { get; init; }

    public static CliConsole OfProcess() => new(StandardStreams.Output, StandardStreams.Error)
    {
        Input = Console.IsInputRedirected && StandardStreams.HasInput() ? StandardStreams.Input : null,
        IsWatched = !Console.IsErrorRedirected && Environment.GetEnvironmentVariable("TERM") != "dumb",
    };

    /// <summary>One line for a person.</summary>
    public void Say(string message)
    {
        try
        {
            Error.Write(Encoding.UTF8.GetBytes(Plain(message) + "\n"));
            Error.Flush();
        }
        catch (OutputClosedException)
        {
            // Nobody listens; what is to be done does not depend on it.
        }
    }

    /// <summary>One line for a person who watches.</summary>
    public void Progress(string message)
    {
        if (IsWatched) Say("rexec: " + message);
    }

    /// <summary>One line of data.</summary>
    public void Print(string line) => Write(line + "\n");

    public void Write(string text)
    {
        Output.Write(Encoding.UTF8.GetBytes(text));
        Output.Flush();
    }

    // Sentences quote what servers and file names say, and a terminal obeys what it is told.
    private static string Plain(string message) => message.Any(IsForbidden)
        ? string.Concat(message.Select(letter => IsForbidden(letter) ? '\uFFFD' : letter))
        : message;

    private static bool IsForbidden(char letter) => char.IsControl(letter) && letter is not ('\n' or '\t');
}
