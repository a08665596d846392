using RemoteExec.Client;

namespace RemoteExec.Cli;

/// <summary>Standard input for the remote command: a file, what is piped into us, or nothing.</summary>
internal sealed class RunInput(CliConsole console)
{
    private const string Ours = "-", Nothing = "none";

    // It is in memory here and again in the server's batch of uploads; what is larger is a file's business.
    private const int BytesMax = 64 << 20;

    private static readonly TimeSpan SilenceMax = TimeSpan.FromSeconds(3);

    /// <summary>The command and its inputs, with standard input added if there is any.</summary>
    public async ValueTask<(RemoteCommand Command, InputSources Sources)> AddAsync(
        string? wanted, RemoteCommand command, InputSources sources, CancellationToken cancellationToken)
    {
        var content = await ReadAsync(wanted, cancellationToken);
        if (content.IsEmpty) return (command, sources);

        var blob = LocalBlob.OfBytes(DigestFunction.Sha256, content);
        return (CommandInput.Redirect(command), sources with { Files = [.. sources.Files, new(CommandInput.FileName, blob)] });
    }

    private async ValueTask<ReadOnlyMemory<byte>> ReadAsync(string? wanted, CancellationToken cancellationToken)
    {
        switch (wanted)
        {
            case Nothing:
                return default;
            case null or Ours when console.Input is { } piped:
                return await ReadPipeAsync(piped, cancellationToken);
            case Ours:
                throw new ClientException("--stdin - reads what is piped in, and nothing is; pipe something in or name a file");
            case null:
                return default;
            default:
                if (!File.Exists(LocalPath.Check(wanted))) throw new ClientException($"--stdin {wanted}: there is no such file; - is our own standard input, none sends nothing");
                await using (var file = File.OpenRead(wanted))
                    return await CommandInput.ReadAsync(file, BytesMax, cancellationToken);
        }
    }

    private async ValueTask<ReadOnlyMemory<byte>> ReadPipeAsync(Stream piped, CancellationToken cancellationToken)
    {
        var reading = CommandInput.ReadAsync(piped, BytesMax, cancellationToken).AsTask();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var silence = Task.Delay(SilenceMax, TimeProvider.System, over.Token);
        // Whoever left a pipe open by accident would wait for ever without knowing for what.
        if (await Task.WhenAny(reading, silence) == silence && !cancellationToken.IsCancellationRequested)
            console.Say("rexec: reading standard input until it ends; --stdin none goes on without it");
        // A read of a pipe cannot be broken off: leave it behind when it is time to go.
        var content = await reading.WaitAsync(cancellationToken);
        await over.CancelAsync();
        return content;
    }
}
