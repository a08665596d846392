namespace RemoteExec.Client;

/// <summary>
/// Standard input for a remote command. The protocol has none (REAPI Command): what is read here travels as a file of the input root,
/// and a shell opens it for the command. Nothing read is nothing sent, and the action stays what it was.
/// </summary>
public static class CommandInput
{
    /// <summary>Its name in the input root.</summary>
    public const string FileName = ".rexec-stdin";

    private const int PieceBytes = 256 << 10;

    /// <summary>All of a stream.</summary>
    /// <exception cref="ClientException">It has more than <paramref name="bytesMax"/>.</exception>
    public static async ValueTask<ReadOnlyMemory<byte>> ReadAsync(Stream from, int bytesMax, CancellationToken cancellationToken)
    {
        var content = new MemoryStream();
        byte[] piece = new byte[PieceBytes];
        for (int read; (read = await from.ReadAsync(piece, cancellationToken)) > 0;)
        {
            if (content.Length + read > bytesMax)
            {
                throw new ClientException(
                    $"standard input has more than the {Core.UnitText.FormatSize(bytesMax)} that travel with a command; put it into a file of an input folder (-i), or say --stdin none");
            }

            content.Write(piece, 0, read);
        }

        return content.GetBuffer().AsMemory(0, (int)content.Length);
    }

    /// <summary>The command as the shell is to run it.</summary>
    public static RemoteCommand Redirect(RemoteCommand command) => command with
    {
        Arguments = ["/bin/sh", "-c", $"exec \"$@\" < {UpFrom(command.WorkingDirectory)}{FileName}", "sh", .. command.Arguments],
    };

    private static string UpFrom(string workingDirectory) =>
        string.Concat(workingDirectory.Split('/', StringSplitOptions.RemoveEmptyEntries).Select(_ => "../"));
}
