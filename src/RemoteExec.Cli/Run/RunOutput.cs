using System.Text;
using Google.Protobuf;
using Grpc.Core;
using RemoteExec.Client;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Cli;

/// <summary>One stream of a remote command: live while it runs, then what is missing of it from the result, and not a byte that is not its own.</summary>
/// <param name="isData">It may go to a program. Otherwise a person reads it, and a line in the middle tells what is missing there.</param>
internal sealed class RunOutput(string name, CallInvoker invoker, IBlobStore blobs, Stream to, bool isData) : IAsyncDisposable
{
    private readonly LiveOutput _live = new(invoker, to);
    private string _stream = "";

    public long ShownBytes => _live.ShownBytes;

    /// <summary>Another operation has other streams, or none: what was shown of this one's predecessor is not in its result.</summary>
    public void Forget() => _stream = "";

    /// <summary>Answers whether another stream took the place of one that was known.</summary>
    public bool Rename(string stream)
    {
        if (stream.Length == 0 || stream == _stream) return false;

        bool isOther = _stream.Length > 0;
        _stream = stream;
        return isOther;
    }

    public void Follow() => _live.Follow(_stream);

    /// <summary>Shows what nobody was shown yet. Answers what is lost of it, in a sentence, or null.</summary>
    /// <exception cref="RpcException">NOT_FOUND when it is no longer stored.</exception>
    public async ValueTask<string?> FinishAsync(
        ByteString raw, WireDigest? wire, DroppedOutput dropped, DigestFunction function, CancellationToken cancellationToken)
    {
        long shown = await _live.FinishAsync(_stream);
        var digest = raw.Length == 0 && wire is { SizeBytes: > 0 } ? WireDigests.FromWire(wire, function, $"the digest of {name}") : default;
        long size = raw.Length > 0 ? raw.Length : digest.SizeBytes;
        var (headFrom, headTo, lost, tailFrom) = dropped.After(shown);
        if (raw.Length > shown) await to.WriteAsync(raw.Memory[(int)shown..], cancellationToken);
        else if (raw.Length == 0) await CopyAsync(digest, headFrom, headTo, cancellationToken);
        if (lost > 0 && !isData) await to.WriteAsync(Encoding.UTF8.GetBytes($"\n… {lost} bytes are missing here …\n"), cancellationToken);
        if (raw.Length == 0) await CopyAsync(digest, tailFrom, size, cancellationToken);
        await to.FlushAsync(cancellationToken);
        return lost == 0
            ? null
            : $"{name} is not complete: {lost} bytes after the first {headTo + dropped.Bytes - lost} were more than the worker keeps; let the command write to a file, and bring that back with -o";
    }

    public ValueTask DisposeAsync() => _live.DisposeAsync();

    private async ValueTask CopyAsync(Digest digest, long from, long end, CancellationToken cancellationToken)
    {
        if (from >= end) return;

        await using var rest = await blobs.OpenReadAsync(digest, from, cancellationToken)
            ?? throw new RpcException(new Status(StatusCode.NotFound, $"{name} of the command ({digest}) is no longer stored; run the command again with --no-cache"));
        await rest.ReadToAsync(to, end - from, cancellationToken);
    }
}
