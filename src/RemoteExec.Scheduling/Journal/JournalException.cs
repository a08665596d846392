namespace RemoteExec.Scheduling;

/// <summary>The journal cannot keep its promise. The message says what happened to which file and what to do.</summary>
public sealed class JournalException(string message, Exception? innerException = null) : Exception(message, innerException);
