using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// Where a result says that its outputs belong. Other clients will write there what they never saw being made, so a path
/// that leaves the input root, or a name that is none, is not taken from anybody (TRUST 4.6: remote-apis-sdks#649, #650, #655).
/// </summary>
internal sealed class ResultPaths(IBlobStore store)
{
    /// <exception cref="RpcException">INVALID_ARGUMENT for a path that no output can have.</exception>
    public async ValueTask CheckAsync(ActionResult result, Digest action, CancellationToken cancellationToken)
    {
        string? error = FindFault(result, workingDirectory: "");
        if (error is null) return;

        // Outputs are relative to the working directory and may climb out of that one (REAPI X4). Few do, so it is only
        // looked up for them, and whoever wants that has to have stored the action.
        if (await FindWorkingDirectoryAsync(action, cancellationToken) is { Length: > 0 } workingDirectory)
            error = FindFault(result, workingDirectory);
        if (error is not null) throw RpcErrors.InvalidField("action_result", error);
    }

    private static string? FindFault(ActionResult result, string workingDirectory)
    {
        foreach (string path in PathsOfEntries(result))
        {
            if (!ActionPath.TryResolve(workingDirectory, path, out string resolved, out string? error)) return error;
            if (resolved.Length == 0 || path.Length == 0) return "an output that is no directory has the path of one";
        }

        foreach (var directory in result.OutputDirectories)
            if (!ActionPath.TryResolve(workingDirectory, directory.Path, out _, out string? error)) return error;
        return null;
    }

    private static IEnumerable<string> PathsOfEntries(ActionResult result)
    {
#pragma warning disable CS0612 // Deprecated on the wire and read by clients before 2.1.
        var links = result.OutputSymlinks.Concat(result.OutputFileSymlinks).Concat(result.OutputDirectorySymlinks);
#pragma warning restore CS0612
        return result.OutputFiles.Select(file => file.Path).Concat(links.Select(link => link.Path));
    }

    /// <summary>Null when the action or its command is not stored (REAPI A4).</summary>
    private async ValueTask<string?> FindWorkingDirectoryAsync(Digest action, CancellationToken cancellationToken)
    {
        if (await ReadAsync(action, ActionSpec.BlobBytesMax, cancellationToken) is not { } actionBlob) return null;

        var command = ActionSpec.Parse(actionBlob, action, TimeSpan.MaxValue).Command;
        return await ReadAsync(command, CommandSpec.BlobBytesMax, cancellationToken) is { } commandBlob
            ? CommandSpec.Parse(commandBlob, command).WorkingDirectory
            : null;
    }

    private async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(Digest digest, int bytesMax, CancellationToken cancellationToken) =>
        digest.SizeBytes > bytesMax ? null : await store.ReadAllAsync(digest, bytesMax, cancellationToken);
}
