using System.CommandLine;
using System.Text.Json.Nodes;
using RemoteExec.Hosting;
using RemoteExec.Storage;

namespace RemoteExec.Cli;

/// <summary><c>rexec cat DIGEST [PATH]</c>: writes a blob, or a file of a stored folder, to standard output.</summary>
internal static class CatVerb
{
    // One value in memory, a third larger as base64.
    private const int JsonBytesMax = 64 << 20;

    public static Command Create(Cli cli)
    {
        var digest = Cli.DigestArgument();
        var path = new Argument<string?>("path") { Description = "a file of the folder that DIGEST is", HelpName = "PATH", Arity = ArgumentArity.ZeroOrOne };
        var verb = new Command("cat", "Writes a blob, or a file of a folder, to standard output.") { digest, path };
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            var format = cli.Output.Of(parsed);
            using var remote = cli.Server.Connect(parsed);
            var blobs = remote.OpenStore();
            var wanted = await new DigestFinder(remote, blobs).FindAsync(parsed.GetValue(digest)!, cancellationToken); // required
            if (parsed.GetValue(path) is { Length: > 0 } inside)
                wanted = (await FolderPath.OpenAsync(blobs, wanted, cancellationToken)).FileAt(inside);

            if (format == OutputFormat.Text) await CopyAsync(blobs, wanted, cli.Console.Output, cancellationToken);
            else cli.Console.Write(Report.Of(format, await ReadAsync(blobs, wanted, cancellationToken)));
            return ExitCode.Done;
        });
        return verb;
    }

    /// <summary>Writes all of a blob; what is not stored is NOT_FOUND.</summary>
    public static async Task CopyAsync(IBlobStore blobs, Digest wanted, Stream to, CancellationToken cancellationToken)
    {
        await using var blob = await blobs.OpenReadAsync(wanted, offset: 0, cancellationToken) ?? throw NotStored.Of(wanted);
        await blob.ReadToAsync(to, hasher: null, cancellationToken);
        await to.FlushAsync(cancellationToken);
    }

    private static async Task<JsonObject> ReadAsync(IBlobStore blobs, Digest wanted, CancellationToken cancellationToken)
    {
        var bytes = await blobs.ReadAllAsync(wanted, JsonBytesMax, cancellationToken) ?? throw NotStored.Of(wanted);
        return new JsonObject { ["digest"] = wanted.ToString(), ["sizeBytes"] = wanted.SizeBytes, ["base64"] = Convert.ToBase64String(bytes.Span) };
    }
}
