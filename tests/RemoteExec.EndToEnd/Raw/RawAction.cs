using static RemoteExec.Conformance.RawMessage;

namespace RemoteExec.EndToEnd;

/// <summary>A command with its inputs. It never takes longer than its timeout, so a test never hangs on it.</summary>
internal sealed record RawAction(params IReadOnlyList<string> Arguments)
{
    private const int TimeoutSeconds = 60;

    public IReadOnlyList<(string Path, RawBlob Blob, bool Executable)> Inputs { get; init; } = [];

    public IReadOnlyList<string> Outputs { get; init; } = [];

    /// <summary>The old list, which some clients send alone; not together with <see cref="Outputs"/>.</summary>
    public IReadOnlyList<string> OutputDirectories { get; init; } = [];

    /// <summary>Its result may be kept. It is not found before it has run all the same: every run here is asked for.</summary>
    public bool IsCached { get; init; }

    /// <summary>What has to be in the store before: directories, command and, last, the action.</summary>
    public IReadOnlyList<byte[]> ToBlobs()
    {
        var blobs = new List<byte[]>();
        byte[] root = Directory(Inputs, blobs);
        byte[] command = Of([
            .. Arguments.Select(argument => (1, (object?)argument)),
            .. OutputDirectories.Order(StringComparer.Ordinal).Select(path => (4, (object?)path)),
            .. Outputs.Order(StringComparer.Ordinal).Select(path => (7, (object?)path)),
        ]);
        byte[] action = Of((1, RawBlob.Of(command).ToMessage()), (2, RawBlob.Of(root).ToMessage()), (6, Of((1, TimeoutSeconds))), (7, IsCached ? null : true));
        return [.. blobs, command, action];
    }

    // build.bazel.remote.execution.v2.Directory: names sorted, files before directories.
    private static byte[] Directory(IEnumerable<(string Path, RawBlob Blob, bool Executable)> inputs, List<byte[]> blobs)
    {
        var files = new List<(int, object?)>();
        var directories = new List<(int, object?)>();
        foreach (var group in inputs.GroupBy(input => input.Path.Split('/')[0]).OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            var (path, blob, executable) = group.First();
            if (path == group.Key)
                files.Add((1, Of((1, path), (2, blob.ToMessage()), (4, executable ? true : null))));
            else
                directories.Add((2, Of((1, group.Key), (2, RawBlob.Of(Directory(group.Select(Below), blobs)).ToMessage()))));
        }
        blobs.Add(Of([.. files, .. directories]));
        return blobs[^1];

        static (string, RawBlob, bool) Below((string Path, RawBlob Blob, bool Executable) input) =>
            (input.Path[(input.Path.IndexOf('/', StringComparison.Ordinal) + 1)..], input.Blob, input.Executable);
    }
}
