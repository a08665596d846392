namespace RemoteExec.Storage;

/// <summary>A data directory that cannot be used, in one plain sentence with the remedy. Hosts end with exit code 5.</summary>
public sealed class StorageDirectoryException(string message, Exception? inner = null) : Exception(message, inner);
