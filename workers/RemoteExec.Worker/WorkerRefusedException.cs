namespace RemoteExec.Worker;

/// <summary>This machine cannot be the worker it was told to be: one sentence with the remedy.</summary>
public sealed class WorkerRefusedException(string message) : Exception(message);
