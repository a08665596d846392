using System.Diagnostics;
using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// Puts the contents of outputs into a result for clients that asked for them, as long as the message has room (REAPI A2, E12);
/// a client that finds nothing inlined fetches it.
/// </summary>
internal sealed class Inlining(IBlobStore store, ServicesOptions options)
{
    /// <summary>Whether a request asks for anything at all.</summary>
    public static bool IsWanted(bool stdout, bool stderr, IReadOnlyCollection<string> files) => stdout || stderr || files.Count > 0;

    /// <summary>How much that is, at most.</summary>
    public long BytesOf(ActionResult result, bool stdout, bool stderr, IReadOnlyCollection<string> files)
    {
        long bytes = (stdout ? SizeOf(result.StdoutDigest) : 0) + (stderr ? SizeOf(result.StderrDigest) : 0);
        if (files.Count > 0)
        {
            var wanted = new HashSet<string>(files, StringComparer.Ordinal);
            bytes += result.OutputFiles.Where(file => wanted.Contains(file.Path)).Sum(file => SizeOf(file.Digest));
        }

        return Math.Min(bytes, options.BatchBytesMax);

        static long SizeOf(WireDigest? digest) => Math.Clamp(digest?.SizeBytes ?? 0, 0, int.MaxValue);
    }

    /// <returns>Whether anything was put in.</returns>
    public async ValueTask<bool> ApplyAsync(
        ActionResult result, DigestFunction function, bool stdout, bool stderr, IReadOnlyCollection<string> files,
        CancellationToken cancellationToken)
    {
        long roomBefore = options.BatchBytesMax - result.CalculateSize(), room = roomBefore;
        if (stdout && result.StdoutRaw.IsEmpty && result.StdoutDigest is not null)
        {
            result.StdoutRaw = await ReadAsync(result.StdoutDigest, function, room, cancellationToken);
            room -= result.StdoutRaw.Length;
        }

        if (stderr && result.StderrRaw.IsEmpty && result.StderrDigest is not null)
        {
            result.StderrRaw = await ReadAsync(result.StderrDigest, function, room, cancellationToken);
            room -= result.StderrRaw.Length;
        }

        if (files.Count == 0) return room < roomBefore;

        var wanted = new HashSet<string>(files, StringComparer.Ordinal);
        foreach (var file in result.OutputFiles)
        {
            if (!wanted.Contains(file.Path) || !file.Contents.IsEmpty) continue;
            file.Contents = await ReadAsync(file.Digest, function, room, cancellationToken);
            room -= file.Contents.Length;
        }

        return room < roomBefore;
    }

    /// <summary>
    /// Takes inlined contents out of a result that is going to be stored: the blobs say the same, and whoever asks gets them
    /// put in again. Streams that came without a blob become one.
    /// </summary>
    /// <returns>Those blobs.</returns>
    public async ValueTask<IReadOnlyList<Digest>> StripAsync(ActionResult result, DigestFunction function, CancellationToken cancellationToken)
    {
        IReadOnlyList<Digest> logs = [];
        if (!result.StdoutRaw.IsEmpty && result.StdoutDigest is null)
        {
            logs = [await store.WriteAllAsync(function, result.StdoutRaw.Memory, cancellationToken)];
            result.StdoutDigest = logs[0].ToWire();
        }

        if (!result.StderrRaw.IsEmpty && result.StderrDigest is null)
        {
            logs = [.. logs, await store.WriteAllAsync(function, result.StderrRaw.Memory, cancellationToken)];
            result.StderrDigest = logs[^1].ToWire();
        }

        result.StdoutRaw = ByteString.Empty;
        result.StderrRaw = ByteString.Empty;
        foreach (var file in result.OutputFiles)
            file.Contents = ByteString.Empty;
        return logs;
    }

    /// <summary>
    /// The same for a result that somebody waits for. A store that takes nothing at the moment is no reason to lose what the command had to
    /// say: then it travels as it came. Null when it does, and the result is not to be stored.
    /// </summary>
    public async ValueTask<IReadOnlyList<Digest>?> TryStripAsync(ActionResult result, DigestFunction function, CancellationToken cancellationToken)
    {
        try
        {
            return await StripAsync(result, function, cancellationToken);
        }
        catch (RpcException refused) when (refused.StatusCode is StatusCode.ResourceExhausted or StatusCode.Unavailable)
        {
            return null;
        }
    }

    /// <summary>Empty when it does not fit, is not there or cannot be read: inlining is a favour, never a reason to fail.</summary>
    private async ValueTask<ByteString> ReadAsync(WireDigest wire, DigestFunction function, long room, CancellationToken cancellationToken)
    {
        if (!WireDigests.TryFromWire(wire, function, out var digest, out _) || digest.SizeBytes > room) return ByteString.Empty;
        try
        {
            return await store.ReadAllAsync(digest, (int)digest.SizeBytes, cancellationToken) is { } data
                ? UnsafeByteOperations.UnsafeWrap(data) // read for this message alone
                : ByteString.Empty;
        }
        catch (Exception failure) when (!cancellationToken.IsCancellationRequested)
        {
            Trace.TraceWarning($"blob {digest} was not inlined: {failure.Message}");
            return ByteString.Empty; // the client fetches it, and meets what is wrong with it there
        }
    }
}
