using System.CommandLine;
using System.Text.Json.Nodes;
using RemoteExec.Client;
using RemoteExec.Hosting;

namespace RemoteExec.Cli;

/// <summary><c>rexec put PATH</c>: stores a file, or a folder as a tree, and prints its digest.</summary>
internal static class PutVerb
{
    private static readonly TimeSpan OutageMax = TimeSpan.FromSeconds(30);

    public static Command Create(Cli cli)
    {
        var path = new Argument<string>("path") { Description = "a file, or a folder (its root directory's digest is printed)", HelpName = "PATH" };
        var exclude = new Option<string[]>("--exclude") { Description = "leave out what has this name, wherever it stands; * and ? match; repeatable", HelpName = "NAME" };
        var verb = new Command("put", "Stores a file or a folder and prints its digest.") { path, exclude };
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            var format = cli.Output.Of(parsed);
            string from = LocalPath.Check(parsed.GetValue(path)!); // required
            using var remote = cli.Server.Connect(parsed);
            bool isFolder = Directory.Exists(from);
            var tree = isFolder
                ? await InputTreeBuilder.BuildAsync(
                    new InputSources { Folders = [from], Excluded = parsed.GetValue(exclude) ?? [], AllowAbsoluteLinks = true }, DigestFunction.Sha256, cancellationToken)
                : await InputTreeBuilder.OfFileAsync(from, DigestFunction.Sha256, cancellationToken);
            var sent = await TransferBar.ShowAsync(cli.Console, "sending", bar =>
                new BlobUploader(remote.OpenStore(OutageMax)) { Planned = plan => bar.Plan(plan.Bytes), Moved = bar.Add }.UploadAsync(tree.Blobs, cancellationToken));

            cli.Console.Write(format == OutputFormat.Text ? $"{tree.Root}\n" : Report.Of(format, new JsonObject
            {
                ["digest"] = tree.Root.ToString(),
                ["kind"] = isFolder ? "directory" : "file",
                ["files"] = tree.Files,
                ["bytes"] = tree.Bytes,
                ["sentBlobs"] = sent.Blobs,
                ["sentBytes"] = sent.Bytes,
            }));
            return ExitCode.Done;
        });
        return verb;
    }
}
