namespace RemoteExec.Server;

/// <summary>What becomes of symbolic links to absolute paths, among inputs and outputs.</summary>
internal enum AbsoluteSymlinks
{
    Disallowed,
    Allowed,
}
