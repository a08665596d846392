using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Scheduling;
using RemoteExec.Storage;
using Digest = RemoteExec.Core.Digest;
using DigestFunction = RemoteExec.Core.DigestFunction;
using Platform = RemoteExec.Core.Platform;
using WireDigest = Build.Bazel.Remote.Execution.V2.Digest;

namespace RemoteExec.Web;

/// <summary>
/// Reads one execution in full: its record, and from storage what it ran, read and wrote. What is no longer
/// stored is left out and said so; a page must not fail because a cache did its work.
/// </summary>
internal sealed class ActionReader(WebSources sources)
{
    private const int MessageBytesMax = 4 << 20;
    private const int InputsShown = 500;

    // A Directory that is too large to be shown is read as absent.
    private static readonly TreeLimits ShownTree = new() { DirectoryBytesMax = int.MaxValue };

    public async ValueTask<ActionView?> ReadAsync(ExecutionId id, CancellationToken cancellationToken)
    {
        if (sources.History.Find(id) is { } completed)
        {
            var response = Response(completed);
            var whole = await ReadAsync(StatusReader.Row(completed, response), completed.Request, response.Result, cancellationToken);
            // The scheduler ends some by itself, without a response.
            return whole with { Attempts = completed.Tries, Message = response.Message.Length > 0 ? response.Message : completed.Outcome.Message };
        }

        var live = sources.FindLive(id);
        if (live is null) return null;

        var row = StatusReader.Row(live, sources.Time.GetUtcNow());
        var soFar = await ReadAsync(row, live.Request, result: null, cancellationToken);
        return soFar with
        {
            Attempts = live.Tries,
            Stdout = Live(new LeaseId(id, live.Attempt), OutputStream.Stdout),
            Stderr = Live(new LeaseId(id, live.Attempt), OutputStream.Stderr),
        };
    }

    /// <summary>The response as the client got it; an empty one when the scheduler itself ended the execution.</summary>
    public static ExecuteResponse Response(CompletedExecution completed) =>
        ExecuteResponse.Parser.ParseFrom(completed.Outcome.Response.Span);

    private async ValueTask<ActionView> ReadAsync(
        ActionRow row, ExecutionRequest request, ActionResult? result, CancellationToken cancellationToken)
    {
        var function = request.Action.Function;
        var action = await MessageAsync(Build.Bazel.Remote.Execution.V2.Action.Parser, request.Action, cancellationToken);
        var command = await MessageAsync(Command.Parser, function, action?.CommandDigest, cancellationToken);
        var inputs = new List<FileView>();
        bool truncated = WireDigests.TryFromWire(action?.InputRootDigest, function, out var root, out _)
            && await AddInputsAsync(inputs, function, root, cancellationToken);
        result ??= new ActionResult();

        return new ActionView(row)
        {
            Command = command is null ? null : View(command, request.Platform, IgnoredProperties.NamesIn(result.ExecutionMetadata)),
            CommandProblem = command is null ? "The action or its command is no longer stored." : "",
            Stdout = await OutputAsync(function, result.StdoutRaw, result.StdoutDigest, cancellationToken),
            Stderr = await OutputAsync(function, result.StderrRaw, result.StderrDigest, cancellationToken),
            Outputs = Outputs(function, result),
            Inputs = inputs,
            InputsTruncated = truncated,
        };
    }

    private static CommandView View(Command command, Platform platform, IReadOnlySet<string> ignored) => new(
        command.Arguments,
        [.. command.EnvironmentVariables.Select(v => $"{v.Name}={(SecretNames.Match(v.Name) ? "(not shown)" : v.Value)}")],
        [.. platform.Properties.Select(p => $"{p.Name}={p.Value}{(ignored.Contains(p.Name) ? " (left out of account)" : "")}")],
        command.WorkingDirectory);

    private static List<FileView> Outputs(DigestFunction function, ActionResult result) =>
    [
        .. result.OutputFiles.Select(f => File(f.Path, f.IsExecutable, function, f.Digest)),
        .. result.OutputDirectories.Select(d => File(d.Path, "directory", function, d.TreeDigest)),
        // Workers fill this list always; the two older ones only repeat it.
        .. result.OutputSymlinks.Select(s => new FileView(s.Path, "symlink", 0, "", "", s.Target)),
    ];

    /// <summary>The first inputs, depth first; true when there are more.</summary>
    private async ValueTask<bool> AddInputsAsync(List<FileView> inputs, DigestFunction function, Digest root, CancellationToken cancellationToken)
    {
        // Where the page stops, the walk stops.
        var walk = new DirectoryWalk((digest, cancelled) => MessageAsync(Build.Bazel.Remote.Execution.V2.Directory.Parser, digest, cancelled), ShownTree);
        await foreach (var place in walk.ExpandAsync(root, cancellationToken))
        {
            foreach (var view in Entries(place, function))
            {
                if (inputs.Count == InputsShown) return true;
                inputs.Add(view);
            }
        }

        return false;
    }

    private static IEnumerable<FileView> Entries(DirectoryAt place, DigestFunction function)
    {
        if (place.Path.Length > 0) yield return new FileView(place.Path + "/", "directory", 0, "", "", "");
        if (place.Message is not { } directory) yield break;
        foreach (var file in directory.Files)
            yield return File(place.Join(file.Name), file.IsExecutable, function, file.Digest);
        foreach (var link in directory.Symlinks)
            yield return new FileView(place.Join(link.Name), "symlink", 0, "", "", link.Target);
    }

    private async ValueTask<OutputView?> OutputAsync(
        DigestFunction function, ByteString raw, WireDigest? wire, CancellationToken cancellationToken)
    {
        if (!raw.IsEmpty)
            return OutputText.Show(raw.Span[..Math.Min(raw.Length, OutputText.EndBytes)], raw.Span[Math.Min(raw.Length, OutputText.EndBytes)..], raw.Length, "");
        if (wire is null || !WireDigests.TryFromWire(wire, function, out var digest, out _)) return null;

        int headBytes = (int)Math.Min(OutputText.EndBytes, digest.SizeBytes);
        int tailBytes = (int)Math.Min(OutputText.EndBytes, digest.SizeBytes - headBytes);
        if (await ReadAsync(digest, offset: 0, headBytes, cancellationToken) is not { } head
            || await ReadAsync(digest, digest.SizeBytes - tailBytes, tailBytes, cancellationToken) is not { } tail)
        {
            return new OutputView("(no longer stored)", false, digest.SizeBytes, "");
        }

        return OutputText.Show(head, tail, digest.SizeBytes, BlobUrl(digest));
    }

    private async ValueTask<byte[]?> ReadAsync(Digest digest, long offset, int bytes, CancellationToken cancellationToken)
    {
        await using var reader = await sources.Blobs.OpenReadAsync(digest, offset, cancellationToken);
        if (reader is null) return null;

        byte[] piece = new byte[bytes];
        int filled = 0;
        while (filled < bytes && await reader.ReadAsync(piece.AsMemory(filled), cancellationToken) is > 0 and int read)
            filled += read;
        return filled == bytes ? piece : null;
    }

    private OutputView? Live(LeaseId lease, OutputStream stream)
    {
        var soFar = sources.LiveOutput(lease, stream, OutputText.EndBytes);
        if (soFar.LengthBytes == 0) return null;

        // Where there is no end beside it, the head is all.
        var (head, tail) = soFar.Newest.IsEmpty
            ? (soFar.Head[..Math.Min(soFar.Head.Length, OutputText.EndBytes)], soFar.Head[Math.Min(soFar.Head.Length, OutputText.EndBytes)..])
            : (soFar.Head, soFar.Newest);
        return OutputText.Show(head.Span, tail.Span, soFar.LengthBytes, "");
    }

    private static FileView File(string path, bool executable, DigestFunction function, WireDigest? digest) =>
        File(path, executable ? "executable" : "file", function, digest);

    private static FileView File(string path, string kind, DigestFunction function, WireDigest? wire) =>
        wire is not null && WireDigests.TryFromWire(wire, function, out var digest, out _)
            ? new FileView(path, kind, digest.SizeBytes, digest.Hash, BlobUrl(digest), "")
            : new FileView(path, kind, 0, "", "", "");

    private static string BlobUrl(Digest digest) =>
        $"/api/v1/blobs/{DigestFunctions.WireName(digest.Function)}/{digest.Hash}/{digest.SizeBytes}";

    private ValueTask<T?> MessageAsync<T>(MessageParser<T> parser, DigestFunction function, WireDigest? wire, CancellationToken cancellationToken)
        where T : class, IMessage<T> =>
        wire is not null && WireDigests.TryFromWire(wire, function, out var digest, out _)
            ? MessageAsync(parser, digest, cancellationToken)
            : ValueTask.FromResult<T?>(null);

    private async ValueTask<T?> MessageAsync<T>(MessageParser<T> parser, Digest digest, CancellationToken cancellationToken)
        where T : class, IMessage<T>
    {
        if (digest.SizeBytes > MessageBytesMax) return null;
        if (await sources.Blobs.ReadAllAsync(digest, MessageBytesMax, cancellationToken) is not { } bytes) return null;

        try
        {
            return parser.ParseFrom(bytes.Span);
        }
        catch (InvalidProtocolBufferException)
        {
            // A client may name any blob as an action; what cannot be read is shown as absent.
            return null;
        }
    }
}
