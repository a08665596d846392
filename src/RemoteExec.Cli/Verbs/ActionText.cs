using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Build.Bazel.Remote.Execution.V2;
using RemoteExec.Core;

namespace RemoteExec.Cli;

/// <summary>An action in words, and as members.</summary>
internal static class ActionText
{
    public static string Of(ActionStory story)
    {
        var text = new StringBuilder();
        Line(text, "action", story.Digest.ToString());
        if (story.Action is { } action)
        {
            if (story.Command is { } command) Describe(text, action, command);
            else Line(text, "command", $"{Name(action.CommandDigest, story.Digest.Function)}, no longer stored");
            Line(text, "inputs", action.InputRootDigest is { SizeBytes: > 0 } root ? $"{Name(root, story.Digest.Function)} (rexec ls {Name(root, story.Digest.Function)})" : "none");
            if (action.Timeout is { } timeout) Line(text, "timeout", string.Create(CultureInfo.InvariantCulture, $"{timeout.ToTimeSpan().TotalSeconds} s"));
            if (action.DoNotCache) Line(text, "cache", "its result is not to be kept");
        }
        else
        {
            Line(text, "command", "the action is no longer stored, its result is");
        }

        Describe(text, story.Result, story.Digest.Function);
        return text.ToString();
    }

    public static JsonObject Row(ActionStory story) => new()
    {
        ["action"] = story.Digest.ToString(),
        ["command"] = story.Action is { } action ? Name(action.CommandDigest, story.Digest.Function) : "",
        ["inputRoot"] = Name(story.Action?.InputRootDigest, story.Digest.Function),
        ["arguments"] = Texts(story.Command?.Arguments ?? []),
        ["environment"] = new JsonObject(Variables(story.Command).Select(variable => KeyValuePair.Create(variable.Name, (JsonNode?)variable.Value))),
        ["platform"] = Texts(OlderFields.PlatformOf(story.Action, story.Command).Select(property => $"{property.Name}={property.Value}")),
        ["workingDirectory"] = story.Command?.WorkingDirectory ?? "",
        ["outputPaths"] = Texts(story.Command?.AllOutputPaths() ?? []),
        ["timeoutSeconds"] = story.Action?.Timeout?.ToTimeSpan().TotalSeconds,
        ["isCached"] = story.Result is not null,
        ["exitCode"] = story.Result?.ExitCode,
        ["worker"] = story.Result?.ExecutionMetadata?.Worker ?? "",
        ["stdout"] = Name(story.Result?.StdoutDigest, story.Digest.Function),
        ["stderr"] = Name(story.Result?.StderrDigest, story.Digest.Function),
        ["outputs"] = Outputs(story.Result, story.Digest.Function),
    };

    /// <summary>What a result lists, with kinds and digests; a folder's is that of its Tree.</summary>
    public static JsonArray Outputs(ActionResult? result, DigestFunction function) => result is null ? [] : new JsonArray(
    [
        .. result.OutputFiles.Select(file => Output(file.Path, file.IsExecutable ? "executable" : "file", Name(file.Digest, function), "")),
        .. result.OutputDirectories.Select(folder => Output(folder.Path, "directory", Name(folder.TreeDigest, function), "")),
        .. result.AllSymlinks().Select(link => Output(link.Path, "symlink", "", link.Target)),
    ]);

    /// <summary>A digest as every verb takes it; empty where there is none.</summary>
    public static string Name(WireDigest? digest, DigestFunction function) =>
        digest is null ? "" : $"{(function.IsNamedInResources() ? function.WireName() + "/" : "")}{digest.Hash}/{digest.SizeBytes}";

    private static void Describe(StringBuilder text, WireAction action, WireCommand command)
    {
        Line(text, "command", string.Join(' ', command.Arguments.Select(ShellWord)));
        if (command.WorkingDirectory.Length > 0) Line(text, "in", command.WorkingDirectory);
        foreach (var variable in command.EnvironmentVariables) Line(text, "variable", $"{variable.Name}={variable.Value}");
        foreach (var property in OlderFields.PlatformOf(action, command)) Line(text, "platform", $"{property.Name}={property.Value}");
        foreach (string path in command.AllOutputPaths()) Line(text, "wants", path);
    }

    private static void Describe(StringBuilder text, ActionResult? result, DigestFunction function)
    {
        if (result is null)
        {
            Line(text, "result", "none is cached");
            return;
        }

        string worker = result.ExecutionMetadata?.Worker is { Length: > 0 } name ? $" on worker {name}" : "";
        string took = result.ExecutionMetadata is { ExecutionStartTimestamp: { } start, ExecutionCompletedTimestamp: { } end }
            ? string.Create(CultureInfo.InvariantCulture, $", ran {(end.ToDateTimeOffset() - start.ToDateTimeOffset()).TotalSeconds:0.###} s at {start.ToDateTimeOffset():u}")
            : "";
        Line(text, "result", $"exit code {result.ExitCode}{worker}{took}");
        Stream(text, "stdout", result.StdoutDigest, result.StdoutRaw.Length, function);
        Stream(text, "stderr", result.StderrDigest, result.StderrRaw.Length, function);
        foreach (var file in result.OutputFiles) Line(text, "wrote", $"{file.Path}  {Name(file.Digest, function)}");
        foreach (var folder in result.OutputDirectories) Line(text, "wrote", $"{folder.Path}/  {Name(folder.TreeDigest, function)}");
        foreach (var link in result.AllSymlinks()) Line(text, "wrote", $"{link.Path} -> {link.Target}");
    }

    private static void Stream(StringBuilder text, string name, WireDigest? digest, int inlineBytes, DigestFunction function)
    {
        if (digest is { SizeBytes: > 0 }) Line(text, name, $"{UnitText.FormatSize(digest.SizeBytes)} (rexec cat {Name(digest, function)})");
        else if (inlineBytes > 0) Line(text, name, UnitText.FormatSize(inlineBytes));
    }

    private static IEnumerable<WireCommand.Types.EnvironmentVariable> Variables(WireCommand? command) =>
        (command?.EnvironmentVariables ?? []).DistinctBy(variable => variable.Name);

    private static JsonObject Output(string path, string kind, string digest, string target) =>
        new() { ["path"] = path, ["kind"] = kind, ["digest"] = digest, ["target"] = target };

    private static JsonArray Texts(IEnumerable<string> texts) => new([.. texts.Select(text => (JsonNode?)text)]);

    // What somebody stored is shown, not obeyed by the terminal.
    private static void Line(StringBuilder text, string name, string value) =>
        text.Append(CultureInfo.InvariantCulture, $"{name,-9} {PrintableText.Escape(value, int.MaxValue)}\n");

    private static string ShellWord(string word) =>
        word.Length > 0 && word.All(letter => char.IsAsciiLetterOrDigit(letter) || "-_./=:,+@%".Contains(letter, StringComparison.Ordinal))
            ? word
            : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
