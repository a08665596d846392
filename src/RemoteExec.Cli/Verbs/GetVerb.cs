using System.CommandLine;
using System.Text.Json.Nodes;
using RemoteExec.Client;
using RemoteExec.Hosting;
using RemoteExec.Storage;

namespace RemoteExec.Cli;

/// <summary>
/// <c>rexec get DIGEST PATH</c>: fetches a blob into a file, which appears whole or not at all, or a folder into a folder. A path that
/// ends with a slash is a folder, <c>-</c> is standard output.
/// </summary>
internal static class GetVerb
{
    private static readonly TimeSpan OutageMax = TimeSpan.FromSeconds(30);

    public static Command Create(Cli cli)
    {
        var digest = Cli.DigestArgument();
        var path = new Argument<string>("path") { Description = "where to write it: a file, a folder, or - for standard output", HelpName = "PATH" };
        var executable = new Option<bool>("--executable", "-x") { Description = "make the file executable" };
        var raw = new Option<bool>("--raw") { Description = "write the blob as it is, also when it is a folder" };
        var verb = new Command("get", "Fetches a file or a folder.") { digest, path, executable, raw };
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            var format = cli.Output.Of(parsed);
            string to = parsed.GetValue(path)!; // required
            using var remote = cli.Server.Connect(parsed);
            var blobs = remote.OpenStore(OutageMax);
            if (to == "-" && format != OutputFormat.Text)
                throw new ClientException("standard output cannot be both the data and an answer about it; leave --format and --json out");
            if (to != "-") LocalPath.Check(to);

            var wanted = await new DigestFinder(remote, blobs).FindAsync(parsed.GetValue(digest)!, cancellationToken); // required
            if (to == "-")
            {
                await CatVerb.CopyAsync(blobs, wanted, cli.Console.Output, cancellationToken);
                return ExitCode.Done;
            }

            bool isFolderWanted = to.EndsWith('/') || Directory.Exists(to);
            var folder = parsed.GetValue(raw) || (wanted.IsEmpty && !isFolderWanted) ? null : await StoredFolder.TryOpenAsync(blobs, wanted, cancellationToken);
            if (folder is null && isFolderWanted)
                throw new ClientException($"{to} is a folder and {wanted} is a file, or not stored; name a file in it");

            int files = folder is null
                ? await GetFileAsync(cli.Console, blobs, wanted, to, parsed.GetValue(executable), cancellationToken)
                : await GetFolderAsync(cli.Console, blobs, folder, wanted, to, cancellationToken);
            if (format != OutputFormat.Text)
                cli.Console.Write(Report.Of(format, new JsonObject
                {
                    ["digest"] = wanted.ToString(),
                    ["path"] = Path.GetFullPath(to),
                    ["kind"] = folder is null ? "file" : "directory",
                    ["files"] = files,
                }));
            return ExitCode.Done;
        });
        return verb;
    }

    private static Task<int> GetFileAsync(CliConsole console, IBlobStore blobs, Digest wanted, string to, bool executable, CancellationToken cancellationToken) =>
        TransferBar.ShowAsync(console, "fetching", async bar =>
        {
            bar.Plan(wanted.SizeBytes);
            var fetcher = new OutputFetcher(blobs, wanted.Function) { Moved = bar.Add };
            return await fetcher.FetchFileAsync(to, wanted, executable, cancellationToken) ? 1 : throw NotStored.Of(wanted);
        });

    private static Task<int> GetFolderAsync(CliConsole console, IBlobStore blobs, StoredFolder folder, Digest wanted, string to, CancellationToken cancellationToken) =>
        TransferBar.ShowAsync(console, "fetching", async bar =>
        {
            bar.Plan(folder.Directories.Values.Sum(directory => directory.Files.Sum(file => file.Digest.SizeBytes)));
            return await new OutputFetcher(blobs, wanted.Function) { Moved = bar.Add }.FetchFolderAsync(folder, to, cancellationToken);
        });
}
