namespace RemoteExec.Worker;

internal readonly record struct InputSymlink(string Path, string Target);
