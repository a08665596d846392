namespace RemoteExec.Protocol;

/// <summary>A Command that passed the door: one model of outputs, paths resolved, no surprises left for the worker.</summary>
public sealed class CommandSpec
{
    /// <summary>Command blobs above this are refused unread: Linux starts no process with more than a few MiB of arguments.</summary>
    public const int BlobBytesMax = 16 * 1024 * 1024;

    private CommandSpec(WireCommand message, string workingDirectory, OutputSpec outputs) =>
        (Message, WorkingDirectory, Outputs) = (message, workingDirectory, outputs);

    /// <summary>As the client stored it; for what needs no normalising.</summary>
    public WireCommand Message { get; }

    public IReadOnlyList<string> Arguments => Message.Arguments;

    public IReadOnlyList<WireCommand.Types.EnvironmentVariable> Environment => Message.EnvironmentVariables;

    /// <summary>Relative to the input root, without <c>.</c> and <c>..</c>; empty for the root.</summary>
    public string WorkingDirectory { get; }

    public OutputSpec Outputs { get; }

    /// <summary>Directories of outputs are wanted as blobs of their own. TREE_ONLY is also what an unknown value means (REAPI X10).</summary>
    public bool WantsDirectories => Message.OutputDirectoryFormat
        is WireCommand.Types.OutputDirectoryFormat.DirectoryOnly or WireCommand.Types.OutputDirectoryFormat.TreeAndDirectory;

    /// <summary>Outputs are told with the time of their last change (REAPI X13).</summary>
    public bool WantsMtime => Message.OutputNodeProperties.Contains(NodePropertyNames.Mtime);

    /// <summary>Outputs are told with their rights (REAPI X13).</summary>
    public bool WantsUnixMode => Message.OutputNodeProperties.Contains(NodePropertyNames.UnixMode);

    /// <summary>Reads a Command blob; whatever is wrong with it is INVALID_ARGUMENT (REAPI E3).</summary>
    public static CommandSpec Parse(ReadOnlyMemory<byte> blob, Digest digest)
    {
        var message = WireMessages.Parse(WireCommand.Parser, blob, digest);
        string? error = CheckProcess(message) ?? CheckNodeProperties(message);
        if (error is null && ActionPath.TryResolve("", message.WorkingDirectory, out string workingDirectory, out error))
        {
            error = OutputSpec.TryCreate(message, workingDirectory, out var outputs);
            if (error is null) return new CommandSpec(message, workingDirectory, outputs);
        }

        throw RpcErrors.Invalid($"command {digest}: {error}");
    }

    private static string? CheckProcess(WireCommand command)
    {
        if (command.Arguments.Count == 0 || command.Arguments[0].Length == 0) return "it names no program";
        if (command.Arguments.Any(HasNul)) return "an argument has a NUL";

        // Unsorted is accepted, the digest is the client's own loss; two values for one name have no meaning.
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var variable in command.EnvironmentVariables)
        {
            if (variable.Name.Length == 0 || variable.Name.Contains('=', StringComparison.Ordinal) || HasNul(variable.Name))
                return $"'{variable.Name}' is not the name of an environment variable";
            if (HasNul(variable.Value)) return $"the environment variable {variable.Name} has a NUL";
            if (!names.Add(variable.Name)) return $"the environment variable {variable.Name} is set twice";
        }

        return null;
    }

    // REAPI X13: one that the result could not carry is refused.
    private static string? CheckNodeProperties(WireCommand command) =>
        command.OutputNodeProperties.FirstOrDefault(name => !NodePropertyNames.All.Contains(name)) is { } unknown
            ? $"the output node property '{unknown}' is not supported; {string.Join(" and ", NodePropertyNames.All)} are"
            : null;

    private static bool HasNul(string text) => text.Contains('\0', StringComparison.Ordinal);
}
