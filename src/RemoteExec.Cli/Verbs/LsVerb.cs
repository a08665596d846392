using System.CommandLine;
using System.Text.Json.Nodes;
using RemoteExec.Core;
using RemoteExec.Hosting;
using RemoteExec.Protocol;

namespace RemoteExec.Cli;

/// <summary><c>rexec ls DIGEST [PATH]</c>: what a stored folder holds.</summary>
internal static class LsVerb
{
    private static readonly string[] Names = ["path", "kind", "sizeBytes", "digest", "target"];

    public static Command Create(Cli cli)
    {
        var digest = Cli.DigestArgument();
        var path = new Argument<string?>("path") { Description = "a folder in it", HelpName = "PATH", Arity = ArgumentArity.ZeroOrOne };
        var recursive = new Option<bool>("--recursive", "-R") { Description = "also what the folders in it hold" };
        var verb = new Command("ls", "Lists a stored folder.") { digest, path, recursive };
        verb.SetAction(async (parsed, cancellationToken) =>
        {
            var format = cli.Output.Of(parsed);
            using var remote = cli.Server.Connect(parsed);
            var blobs = remote.OpenStore();
            var wanted = await new DigestFinder(remote, blobs).FindAsync(parsed.GetValue(digest)!, cancellationToken); // required
            var opened = await FolderPath.OpenAsync(blobs, wanted, cancellationToken);
            string inside = (parsed.GetValue(path) ?? "").Trim('/');
            var start = opened.FolderAt(inside);

            var rows = new List<JsonObject>();
            if (parsed.GetValue(recursive))
            {
                await foreach (var place in opened.Folder.Walk.ExpandAsync(start.Digest, cancellationToken))
                    rows.AddRange(Rows(place with { Path = Join(inside, place.Path) }, wanted.Function));
            }
            else
            {
                rows.AddRange(Rows(new DirectoryAt(inside, start.Message), wanted.Function));
            }

            rows.Sort((left, right) => NodeName.Compare(Text(left, "path"), Text(right, "path")));
            cli.Console.Write(format == OutputFormat.Text ? string.Concat(rows.Select(Line)) : Report.Of(format, Names, rows));
            return ExitCode.Done;
        });
        return verb;
    }

    private static IEnumerable<JsonObject> Rows(DirectoryAt place, DigestFunction function) =>
    [
        .. place.Message!.Directories.Select(child => Row(place.Join(child.Name), "directory", child.Digest, function, "")), // the folder is whole
        .. place.Message.Files.Select(file => Row(place.Join(file.Name), file.IsExecutable ? "executable" : "file", file.Digest, function, "")),
        .. place.Message.Symlinks.Select(link => Row(place.Join(link.Name), "symlink", null, function, link.Target)),
    ];

    private static JsonObject Row(string path, string kind, WireDigest? digest, DigestFunction function, string target) => new()
    {
        ["path"] = path,
        ["kind"] = kind,
        ["sizeBytes"] = digest?.SizeBytes ?? 0,
        ["digest"] = ActionText.Name(digest, function),
        ["target"] = target,
    };

    private static string Line(JsonObject row)
    {
        var (mark, more) = Text(row, "kind") switch
        {
            "directory" => ("/", Text(row, "digest")),
            "executable" => ("*", Text(row, "digest")),
            "symlink" => ("", $"-> {Text(row, "target")}"),
            _ => ("", Text(row, "digest")),
        };
        string size = Text(row, "kind") is "file" or "executable" ? UnitText.FormatSize((long)row["sizeBytes"]!) : "-"; // every row has it
        // A name with control characters would speak to the terminal.
        return $"{size,8}  {PrintableText.Escape(Text(row, "path") + mark, int.MaxValue),-40}  {PrintableText.Escape(more, int.MaxValue)}\n";
    }

    private static string Text(JsonObject row, string name) => (string)row[name]!; // every row has it

    private static string Join(string inside, string path) => inside.Length == 0 ? path : path.Length == 0 ? inside : $"{inside}/{path}";
}
