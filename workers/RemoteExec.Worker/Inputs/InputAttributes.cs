using Build.Bazel.Remote.Execution.V2;

namespace RemoteExec.Worker;

/// <summary>What an input has beside its content (REAPI X12): the time of its last change and its rights, as far as its client said.</summary>
internal readonly record struct InputAttributes(string Path, FileKind Kind, (long Seconds, long Nanoseconds)? Modified, uint? Mode)
{
    /// <summary>Null where the client said neither. A link has no rights of its own.</summary>
    public static InputAttributes? Of(string path, FileKind kind, NodeProperties? wire)
    {
        (long, long)? modified = wire?.Mtime is { } time ? (time.Seconds, time.Nanos) : null;
        uint? mode = kind == FileKind.Symlink ? null : wire?.UnixMode & Permissions.Rights;
        return modified is null && mode is null ? null : new InputAttributes(path, kind, modified, mode);
    }
}
