using System.CommandLine;
using RemoteExec.Client;
using RemoteExec.Hosting;

namespace RemoteExec.Cli;

/// <summary><c>rexec put PATH</c>: stores a file, or a folder as a tree, and prints its digest.</summary>
internal static class PutVerb
{
    public static Command Create(ServerOptions server, CliConsole console)
    {
        var path = new Argument<string>("path") { Description = "a file, or a folder (its root directory's digest is printed)" };
        var verb = new Command("put", "Stores a file or a folder and prints its digest.") { path };
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            string from = parsed.GetValue(path)!; // required
            using var remote = server.Connect(parsed);
            var digest = await PutAsync(new BlobUploader(remote.OpenStore()), from, cancellationToken);
            console.Print(digest.ToString());
            return ExitCode.Done;
        });
        return verb;
    }

    private static async Task<Digest> PutAsync(BlobUploader uploader, string from, CancellationToken cancellationToken)
    {
        if (Directory.Exists(from))
        {
            var tree = await InputTreeBuilder.BuildAsync(from, DigestFunction.Sha256, cancellationToken);
            await uploader.UploadAsync(tree.Blobs, cancellationToken);
            return tree.Root;
        }

        if (!File.Exists(from))
            throw new ClientException($"{from} does not exist");
        var blob = await LocalBlob.OfFileAsync(DigestFunction.Sha256, from, cancellationToken);
        await uploader.UploadAsync([blob], cancellationToken);
        return blob.Digest;
    }
}
